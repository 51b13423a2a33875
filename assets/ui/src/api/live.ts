import { cell, type Cell } from '../parts/cell'
import { call } from './call'
import { session } from './session'
import type { components } from './types'

type Schemas = components['schemas']

/**
 * What the line says after its first welcome. `back`: it was away; events are made up for, what the server
 * keeps in memory alone is not. Types that this console does not know are dropped.
 */
export type LiveMessage =
  | { type: 'event'; seq: number; event: Schemas['Event'] }
  | { type: 'presence'; device: Schemas['Device'] }
  | { type: 'job'; job: Schemas['Job'] }
  | { type: 'reset' }
  | { type: 'back' }

export type LiveState = 'off' | 'connecting' | 'on' | 'waiting'

interface Socket {
  addEventListener(name: 'open' | 'close', hear: () => void): void
  addEventListener(name: 'message', hear: (event: { data: unknown }) => void): void
  send(text: string): void
  close(): void
}

/** What the live line needs of the browser; tests bring their own. */
export interface LiveSurroundings {
  ticket(): Promise<string>
  open(): Socket
  later(work: () => void, milliseconds: number): () => void
  random(): number
}

export interface Live {
  state: Cell<LiveState>
  start(): void
  stop(): void
  /** Tries at once instead of waiting out the pause. */
  hurry(): void
}

/** How long to wait before try `n` (from 0): a random part of 1, 2, 4 … 30 seconds, at least a quarter of it. */
export function pause(n: number, random: number): number {
  const most = Math.min(30_000, 1000 * 2 ** Math.min(n, 10))
  return Math.round(most * (0.25 + 0.75 * random))
}

/**
 * One socket to the back office. It comes back by itself after a random pause and asks for what it
 * missed by the last number seen, so that no event is lost. A `reset` is handed on when the server's
 * numbers have fallen back (another file was put in place): all that is known may be old.
 */
export function createLive(around: LiveSurroundings, hear: (message: LiveMessage) => void): Live {
  const state = cell<LiveState>('off')
  let run = 0 // counts starts and stops, so that late answers of an old try are dropped
  let tries = 0
  let seen: number | undefined
  let socket: Socket | undefined
  let unplan = () => {}

  function wait(mine: number) {
    if (mine !== run) return
    socket = undefined
    state.set('waiting')
    unplan = around.later(() => void connect(), pause(tries++, around.random()))
  }

  async function connect() {
    const mine = ++run
    unplan()
    state.set('connecting')
    let ticket: string
    try {
      ticket = await around.ticket()
    } catch {
      wait(mine)
      return
    }
    if (mine !== run) return
    const line = around.open()
    socket = line
    line.addEventListener('open', () => {
      line.send(JSON.stringify(seen === undefined ? { type: 'hello', ticket } : { type: 'hello', ticket, after: seen }))
    })
    line.addEventListener('message', ({ data }) => {
      if (mine === run) receive(data)
    })
    line.addEventListener('close', () => wait(mine))
  }

  function receive(data: unknown) {
    const message = parse(data)
    if (!message) return
    switch (message.type) {
      case 'welcome':
        tries = 0
        state.set('on')
        if (seen === undefined) seen = message.seq
        else if (message.reset || message.seq < seen) {
          seen = message.seq
          hear({ type: 'reset' })
        } else hear({ type: 'back' })
        return
      case 'event':
        if (seen !== undefined && message.seq <= seen) return
        seen = message.seq
        hear(message)
        return
      case 'reset':
      case 'presence':
      case 'job':
        hear(message)
    }
  }

  function drop() {
    run++
    unplan()
    const line = socket
    socket = undefined
    line?.close()
  }

  return {
    state,
    start() {
      if (state.get() === 'off') void connect()
    },
    stop() {
      drop()
      seen = undefined
      tries = 0
      state.set('off')
    },
    hurry() {
      if (state.get() !== 'waiting') return
      tries = 0
      void connect()
    },
  }
}

type Heard = Exclude<LiveMessage, { type: 'back' }> | { type: 'welcome'; seq: number; reset?: boolean }

const known = new Set(['welcome', 'event', 'presence', 'job', 'reset'])

function parse(data: unknown): Heard | undefined {
  if (typeof data !== 'string') return undefined
  try {
    const message: unknown = JSON.parse(data)
    if (typeof message !== 'object' || message === null || !('type' in message)) return undefined
    return known.has(String(message.type)) ? (message as Heard) : undefined
  } catch {
    return undefined
  }
}

/** The live line of this tab, still off; `hear` gets what it says. */
export function browserLive(hear: (message: LiveMessage) => void): Live {
  const live = createLive(
    {
      async ticket() {
        return (await call<{ ticket: string }>('/ws-ticket', { method: 'POST', body: {} })).ticket
      },
      open() {
        const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:'
        return new WebSocket(`${scheme}//${location.host}/api/v1/admin/ws`)
      },
      later(work, milliseconds) {
        const timer = setTimeout(work, milliseconds)
        return () => clearTimeout(timer)
      },
      random: Math.random,
    },
    hear,
  )
  const follow = () => {
    const now = session.state.get()
    if (now.phase === 'in' && !now.user.must_change_password) live.start()
    else live.stop()
  }
  session.state.subscribe(follow)
  window.addEventListener('online', () => live.hurry())
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') live.hurry()
  })
  follow()
  return live
}
