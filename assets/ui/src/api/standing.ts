import { cell, type Cell } from '../parts/cell'
import type { components } from './types'
import { ask, Fault, type Ask } from './wire'

/** How the appliance stands, as it says itself. */
export type ApplianceState = components['schemas']['State']

export type Work = ApplianceState['work']

/**
 * What came of work on the file that this tab has seen, or that its recovery code has opened it (`unseal`).
 * `fault` is the sentence, '' where it went well.
 */
export interface Outcome {
  work: Work | 'unseal'
  fault: string
}

/**
 * How the appliance stands, as far as this tab knows. `asking`: not known yet. `away`: it does not answer.
 * `closed`: something is being done to its file, or it starts. `sealed`: it waits for an owner. `open`: it
 * serves; `empty` if nobody has used it, so that a backup may take its place.
 */
export type Standing =
  | { phase: 'asking' }
  | { phase: 'away'; fault: Fault }
  | { phase: 'closed'; work: Work; done: number; total: number }
  | { phase: 'sealed'; recovery: boolean }
  | { phase: 'open'; empty: boolean; outcome?: Outcome }

/** What the standing needs of the browser; tests bring their own. */
export interface StandingSurroundings {
  ask(): Promise<ApplianceState>
  later(work: () => void, milliseconds: number): () => void
  now(): number
}

export interface Appliance {
  state: Cell<Standing>
  /** Asks now, and goes on asking for as long as the appliance does not serve. */
  look(): Promise<void>
  /** The appliance has taken an order to work on its file: it is closed at once, or in a moment. */
  expect(work: Work): void
  /** The API has refused something because the file is closed. */
  refused(): void
  /** The sealed file was opened by a sign-in, or else as `outcome` says. */
  opened(outcome?: Outcome): void
  /** The outcome was shown. */
  settle(): void
}

/** How often it is asked again, in milliseconds. */
const again = { asking: 1000, away: 2000, closed: 700, sealed: 5000 } as const

/** How long work that was accepted may take to begin. After that an open file means that it is over. */
const beginsWithin = 4000

export function createAppliance(around: StandingSurroundings): Appliance {
  const state = cell<Standing>({ phase: 'asking' })
  let run = 0 // counts the questions, so that a late answer to an old one is dropped
  let unplan = () => {}
  let ordered: { work: Work; until: number } | undefined // accepted, and not seen yet
  let seen: Work | undefined // the work that was seen last, until the file is open again

  async function look() {
    const mine = ++run
    unplan()
    let answer: ApplianceState | undefined
    let cause: unknown
    try {
      answer = await around.ask()
    } catch (refusal) {
      cause = refusal
    }
    if (mine !== run) return
    if (answer) hear(answer)
    else miss(cause)
    const { phase } = state.get()
    if (phase !== 'open') unplan = around.later(() => void look(), again[phase])
  }

  function hear(answer: ApplianceState) {
    switch (answer.state) {
      case 'starting':
      case 'working':
        ordered = undefined
        if (answer.work) seen = answer.work
        state.set({ phase: 'closed', work: answer.work, done: answer.done, total: answer.total })
        return
      case 'sealed':
        ordered = undefined
        seen = undefined
        state.set({ phase: 'sealed', recovery: answer.recovery })
        return
      case 'ready':
        if (ordered && around.now() < ordered.until) return // it has not begun yet
        open(answer)
    }
  }

  function open({ empty, error_code, error_message }: ApplianceState) {
    const work = seen ?? ordered?.work
    ordered = undefined
    seen = undefined
    const now = state.get()
    if (work !== undefined) state.set({ phase: 'open', empty, outcome: { work, fault: error_code && error_message } })
    else if (now.phase !== 'open' || now.empty !== empty) state.set({ phase: 'open', empty })
  }

  /** No answer. What is open stays so: its pages say themselves that nothing arrives. */
  function miss(cause: unknown) {
    const { phase } = state.get()
    if (phase === 'open') return
    if (ordered) {
      seen = ordered.work
      ordered = undefined
    }
    if (phase === 'closed' || phase === 'sealed') return
    const fault = cause instanceof Fault ? cause : new Fault(0, 'unreadable', String(cause))
    state.set({ phase: 'away', fault })
  }

  return {
    state,
    look,
    expect(work) {
      ordered = { work, until: around.now() + beginsWithin }
      state.set({ phase: 'closed', work, done: 0, total: 0 })
      void look()
    },
    refused() {
      if (state.get().phase === 'open') void look()
    },
    opened(outcome) {
      run++
      unplan()
      state.set({ phase: 'open', empty: false, ...(outcome && { outcome }) })
    },
    settle() {
      const now = state.get()
      if (now.phase === 'open' && now.outcome) state.set({ phase: 'open', empty: now.empty })
    },
  }
}

/** The codes by which the API says that the file is not open. */
const closedCodes = new Set(['starting', 'sealed'])

/** The appliance behind this page. */
export const appliance = createAppliance({
  async ask() {
    const answer = await ask('/api/v1/admin/state', { patience: 10_000 })
    return ((await answer.json()) as { data: ApplianceState }).data
  },
  later(work, milliseconds) {
    const timer = setTimeout(work, milliseconds)
    return () => clearTimeout(timer)
  },
  now: () => Date.now(),
})

/** Tells the appliance's standing of a refusal that says that the file is closed. */
export function notice(cause: unknown): void {
  if (cause instanceof Fault && cause.status === 503 && closedCodes.has(cause.code)) appliance.refused()
}

/** As `ask`; a refusal because the file is closed is noticed. */
export async function askOpen(path: string, how: Ask = {}): Promise<Response> {
  try {
    return await ask(path, how)
  } catch (cause) {
    notice(cause)
    throw cause
  }
}

/** Opens the sealed file by its recovery code, and gives that owner a new password. It takes a moment on purpose. */
export async function unseal(code: string, username: string, password: string, copied: boolean): Promise<void> {
  const body = { recovery_code: code, username, new_password: password, ...(copied && { copied }) }
  await ask('/api/v1/admin/unseal', { method: 'POST', body, patience: 120_000 })
}
