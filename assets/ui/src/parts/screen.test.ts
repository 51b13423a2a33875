import { expect, it } from 'vitest'
import type { SessionState, User } from '../api/session'
import type { Standing } from '../api/standing'
import { Fault } from '../api/wire'
import { screenOf, type Screen } from './screen'

const fault = new Fault(0, 'network', '')
const open: Standing = { phase: 'open', empty: false }
const closed: Standing = { phase: 'closed', work: 'restore', done: 0, total: 0 }
const out: SessionState = { phase: 'out', ended: false }
const signedIn = (more: Partial<User>): SessionState => ({
  phase: 'in',
  user: {
    id: 'u',
    username: 'admin',
    name: '',
    email: '',
    role: 'owner',
    must_change_password: false,
    permissions: ['dashboard:read'],
    created_at: null,
    ...more,
  } as User,
})

it.each<[Screen, Standing, SessionState]>([
  ['nothing', { phase: 'asking' }, signedIn({})],
  ['unreachable', { phase: 'away', fault }, out],
  ['working', closed, signedIn({})],
  ['working', closed, out],
  ['sealed', { phase: 'sealed', recovery: true }, signedIn({})],
  ['sealed', { phase: 'sealed', recovery: false }, { phase: 'starting' }],
  ['nothing', open, { phase: 'starting' }],
  ['unreachable', open, { phase: 'unreachable', fault }],
  ['sign_in', open, out],
  ['first_password', open, signedIn({ must_change_password: true })],
  ['not_for_you', open, signedIn({ permissions: ['self:read'] })],
  ['house', open, signedIn({})],
])('%s', (screen, standing, session) => expect(screenOf(standing, session)).toBe(screen))
