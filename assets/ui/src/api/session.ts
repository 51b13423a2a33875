import { cell, type Cell } from '../parts/cell'
import { askOpen } from './standing'
import type { components } from './types'
import { Fault, type Ask } from './wire'

export type User = components['schemas']['User']

/**
 * Where this tab stands. `starting`: a session may be there, it is being renewed. `unreachable`: the
 * server did not answer that. `out`: nobody is signed in; `ended` if a session came to its end.
 */
export type SessionState =
  | { phase: 'starting' }
  | { phase: 'unreachable'; fault: Fault }
  | { phase: 'out'; ended: boolean }
  | { phase: 'in'; user: User }

interface Grant {
  access_token: string
  expires_in: number
  data: { user: User }
}

/** What a session needs of the browser; tests bring their own. */
export interface Surroundings {
  ask(path: string, how: Ask): Promise<Response>
  /** Runs `work` while no other tab does: a refresh cookie that is used twice ends the session. */
  alone<T>(work: () => Promise<T>): Promise<T>
  /** Tells the other tabs. */
  tell(message: TabMessage): void
  /** Whether a refresh cookie may be there (it cannot be read), so that a first visit asks nothing. */
  mark: { get(): boolean; set(on: boolean): void }
  later(work: () => void, milliseconds: number): () => void
}

export type TabMessage = 'signed_in' | 'signed_out'

export interface Session {
  state: Cell<SessionState>
  /** Comes in by what may be left of an earlier session, or by the present one, which may count no more. */
  start(): Promise<void>
  /** `copied`: it opens a sealed file, and the machine that this came from goes on. */
  signIn(username: string, password: string, copied?: boolean): Promise<User>
  changePassword(old: string, next: string): Promise<void>
  signOut(): Promise<void>
  /** The access token, or '' when signed out. */
  token(): string
  /** A token other than `stale`: renews once, whoever asks and however often. '' when that ended the session. */
  renew(stale: string): Promise<string>
  /** The server refuses everything until the password is changed. */
  mustChange(): void
  heard(message: TabMessage): void
}

const root = '/api/v1/auth'

export function createSession(around: Surroundings): Session {
  const state = cell<SessionState>({ phase: 'starting' })
  let access = ''
  let renewing: Promise<string> | undefined
  let unplan = () => {}

  function adopt(grant: Grant): User {
    access = grant.access_token
    around.mark.set(true)
    state.set({ phase: 'in', user: grant.data.user })
    unplan()
    // A minute before the end, at the latest after half of it.
    const seconds = Math.max(grant.expires_in - 60, grant.expires_in / 2, 5)
    plan(seconds)
    return grant.data.user
  }

  function plan(seconds: number) {
    const token = access
    unplan = around.later(() => {
      renew(token).catch(() => {
        if (access === token) plan(30)
      })
    }, seconds * 1000)
  }

  function leave(ended: boolean) {
    access = ''
    unplan()
    around.mark.set(false)
    state.set({ phase: 'out', ended })
  }

  async function grantBy(path: string, how: Ask): Promise<Grant> {
    return (await around.ask(root + path, { method: 'POST', ...how })).json() as Promise<Grant>
  }

  async function refresh(stale: string): Promise<string> {
    try {
      const grant = await around.alone(() => grantBy('/refresh', { body: {} }))
      if (access !== stale) return access // signed in or out meanwhile
      adopt(grant)
      return access
    } catch (cause) {
      const refused = cause instanceof Fault && [400, 401, 403].includes(cause.status)
      if (!refused) throw cause
      if (access === stale) leave(true)
      return access
    }
  }

  function renew(stale: string): Promise<string> {
    if (access !== stale) return Promise.resolve(access)
    renewing ??= refresh(stale).finally(() => {
      renewing = undefined
    })
    return renewing
  }

  /** Ends the session at the server, which drops the cookie; an access token that ran out is renewed for it. */
  async function end(token: string) {
    try {
      await around.ask(`${root}/logout`, { method: 'POST', token })
    } catch (cause) {
      if (!(cause instanceof Fault) || cause.status !== 401) throw cause
      const grant = await around.alone(() => grantBy('/refresh', { body: {} }))
      await around.ask(`${root}/logout`, { method: 'POST', token: grant.access_token })
    }
  }

  async function start() {
    if (!around.mark.get()) {
      leave(false)
      return
    }
    state.set({ phase: 'starting' })
    try {
      await renew(access)
    } catch (cause) {
      if (cause instanceof Fault) state.set({ phase: 'unreachable', fault: cause })
      else throw cause
    }
  }

  return {
    state,
    token: () => access,
    renew,
    start,
    async signIn(username, password, copied = false) {
      const user = adopt(await grantBy('/login', { body: { username, password, cookie: true, ...(copied && { copied }) } }))
      around.tell('signed_in')
      return user
    },
    async changePassword(old, next) {
      const body = { old_password: old, new_password: next, cookie: true }
      adopt(await grantBy('/password', { body, token: access }))
    },
    async signOut() {
      const token = access
      leave(false)
      around.tell('signed_out')
      await end(token)
    },
    mustChange() {
      const now = state.get()
      if (now.phase !== 'in' || now.user.must_change_password) return
      state.set({ phase: 'in', user: { ...now.user, must_change_password: true } })
    },
    heard(message) {
      if (message === 'signed_out' && access) leave(false)
      if (message === 'signed_in' && !access) {
        around.mark.set(true)
        renew('').catch(() => undefined)
      }
    },
  }
}

const place = 'goldfish.session'

function browserSurroundings(channel: BroadcastChannel | undefined): Surroundings {
  return {
    ask: askOpen,
    async alone(work) {
      return 'locks' in navigator ? await navigator.locks.request('goldfish.refresh', work) : work()
    },
    tell: (message) => channel?.postMessage(message),
    mark: {
      get() {
        try {
          return localStorage.getItem(place) === '1'
        } catch {
          return true // storage is switched off: asking is the only way to know
        }
      },
      set(on) {
        try {
          if (on) localStorage.setItem(place, '1')
          else localStorage.removeItem(place)
        } catch {
          // as above
        }
      },
    },
    later(work, milliseconds) {
      const timer = setTimeout(work, milliseconds)
      return () => clearTimeout(timer)
    },
  }
}

const channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('goldfish')

/** The one session of this tab. The access token lives in its closure and nowhere else. */
export const session = createSession(browserSurroundings(channel))

channel?.addEventListener('message', (event: MessageEvent<TabMessage>) => session.heard(event.data))
