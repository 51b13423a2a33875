import { describe, expect, it } from 'vitest'
import { createSession, type Surroundings, type TabMessage, type User } from './session'
import { Fault, type Ask } from './wire'

const user: User = {
  id: 'u1',
  username: 'admin',
  name: '',
  email: '',
  role: 'owner',
  must_change_password: false,
  permissions: ['apps:read'],
  created_at: '2026-11-01T00:00:00Z',
}

type Answer = (how: Ask) => unknown

/** A browser without a browser: answers by path, timers that the test fires, a mark, the told messages. */
function browser(answers: Record<string, Answer>, marked = false) {
  const calls: string[] = []
  const told: TabMessage[] = []
  const timers: { work: () => void; milliseconds: number }[] = []
  let mark = marked
  let inside = 0
  const around: Surroundings = {
    async ask(path, how) {
      calls.push(path.replace('/api/v1/auth', ''))
      if (path.endsWith('/refresh') && inside !== 1) throw new Error('refreshed without the lock')
      const answer = answers[path.replace('/api/v1/auth', '')]
      if (!answer) throw new Error(`nobody answers ${path}`)
      return new Response(JSON.stringify(await answer(how)))
    },
    async alone(work) {
      inside++
      try {
        return await work()
      } finally {
        inside--
      }
    },
    tell: (message) => told.push(message),
    mark: { get: () => mark, set: (on) => void (mark = on) },
    later(work, milliseconds) {
      const timer = { work, milliseconds }
      timers.push(timer)
      return () => void timers.splice(timers.indexOf(timer), 1)
    },
  }
  return { session: createSession(around), calls, told, timers, marked: () => mark }
}

let issued = 0
const grant = () => ({ access_token: `token-${++issued}`, expires_in: 7200, data: { user } })
const refused = (status: number, code: string) => () => {
  throw new Fault(status, code, code)
}

describe('session', () => {
  it('asks nothing on a first visit', async () => {
    const { session, calls } = browser({})
    await session.start()
    expect(calls).toEqual([])
    expect(session.state.get()).toEqual({ phase: 'out', ended: false })
  })

  it('comes back by the cookie where one may be', async () => {
    const { session } = browser({ '/refresh': grant }, true)
    await session.start()
    expect(session.state.get()).toMatchObject({ phase: 'in', user: { username: 'admin' } })
    expect(session.token()).toMatch(/^token-/)
  })

  it('says that a session ended when the cookie is refused, and forgets the mark', async () => {
    const { session, marked } = browser({ '/refresh': refused(401, 'session_ended') }, true)
    await session.start()
    expect(session.state.get()).toEqual({ phase: 'out', ended: true })
    expect(marked()).toBe(false)
  })

  it('does not take an unreachable server for the end of the session', async () => {
    const { session, marked } = browser({ '/refresh': refused(0, 'network') }, true)
    await session.start()
    expect(session.state.get().phase).toBe('unreachable')
    expect(marked()).toBe(true)
  })

  it('asks for a cookie at sign-in, keeps the token to itself and tells the other tabs', async () => {
    let sent: Ask = {}
    const { session, told } = browser({
      '/login': (how) => {
        sent = how
        return grant()
      },
    })
    await session.signIn('admin', 'secret')
    expect(sent.body).toEqual({ username: 'admin', password: 'secret', cookie: true })
    expect(told).toEqual(['signed_in'])
    expect(JSON.stringify(session.state.get())).not.toContain(session.token())
  })

  it('renews once, however many ask at the same time', async () => {
    const { session, calls } = browser({ '/login': grant, '/refresh': grant })
    await session.signIn('admin', 'secret')
    const stale = session.token()
    const fresh = await Promise.all([session.renew(stale), session.renew(stale), session.renew(stale)])
    expect(new Set(fresh).size).toBe(1)
    expect(fresh[0]).not.toBe(stale)
    expect(calls).toEqual(['/login', '/refresh'])
    expect(await session.renew(stale)).toBe(fresh[0]) // a latecomer gets what is there
    expect(calls).toHaveLength(2)
  })

  it('renews by itself a minute before the end', async () => {
    const { session, timers } = browser({ '/login': grant, '/refresh': grant })
    await session.signIn('admin', 'secret')
    const before = session.token()
    expect(timers.map((timer) => timer.milliseconds)).toEqual([7_140_000])
    timers[0]?.work()
    await expect.poll(() => session.token()).not.toBe(before)
    expect(timers).toHaveLength(1) // the next one; the first is spent
  })

  it('tries again in half a minute when the silent renewal finds no server', async () => {
    const { session, timers } = browser({ '/login': grant, '/refresh': refused(0, 'network') })
    await session.signIn('admin', 'secret')
    timers[0]?.work()
    await expect.poll(() => timers.at(-1)?.milliseconds).toBe(30_000)
    expect(session.state.get().phase).toBe('in')
  })

  it('signs out here and everywhere, even with an access token that ran out', async () => {
    let turns = 0
    const { session, told, calls, marked } = browser({
      '/login': grant,
      '/refresh': grant,
      '/logout': () => (turns++ === 0 ? refused(401, 'token_expired')() : {}),
    })
    await session.signIn('admin', 'secret')
    await session.signOut()
    expect(session.state.get()).toEqual({ phase: 'out', ended: false })
    expect(session.token()).toBe('')
    expect(told).toEqual(['signed_in', 'signed_out'])
    expect(calls).toEqual(['/login', '/logout', '/refresh', '/logout'])
    expect(marked()).toBe(false)
  })

  it('follows the other tabs out and in', async () => {
    const { session } = browser({ '/login': grant, '/refresh': grant })
    await session.signIn('admin', 'secret')
    session.heard('signed_out')
    expect(session.state.get()).toEqual({ phase: 'out', ended: false })
    session.heard('signed_in')
    await expect.poll(() => session.state.get().phase).toBe('in')
  })

  it('takes the fresh tokens of a password change', async () => {
    const { session } = browser({ '/login': grant, '/password': grant })
    await session.signIn('admin', 'old')
    const before = session.token()
    session.mustChange()
    expect(session.state.get()).toMatchObject({ user: { must_change_password: true } })
    await session.changePassword('old', 'new')
    expect(session.token()).not.toBe(before)
    expect(session.state.get()).toMatchObject({ user: { must_change_password: false } })
  })
})
