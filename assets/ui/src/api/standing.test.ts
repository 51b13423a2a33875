import { describe, expect, it } from 'vitest'
import { createAppliance, type ApplianceState, type Work } from './standing'
import { Fault } from './wire'

const away = new Fault(0, 'network', 'nobody answers')

const is = (state: ApplianceState['state'], work: Work = '', more: Partial<ApplianceState> = {}): ApplianceState => ({
  state,
  work,
  done: 0,
  total: 0,
  empty: false,
  recovery: false,
  error_code: '',
  error_message: '',
  ...more,
})

/** An appliance that gives these answers one after another, the last one for ever; the test fires the timers. */
function behind(...answers: (ApplianceState | Fault)[]) {
  let clock = 0
  let timer: { work: () => void; milliseconds: number } | undefined
  let asked = 0
  const appliance = createAppliance({
    async ask() {
      const answer = answers[Math.min(asked++, answers.length - 1)]
      if (!answer || answer instanceof Fault) throw answer
      return answer
    },
    later(work, milliseconds) {
      timer = { work, milliseconds }
      return () => (timer = undefined)
    },
    now: () => clock,
  })
  const settled = () => new Promise((done) => setTimeout(done))
  return {
    appliance,
    asked: () => asked,
    planned: () => timer?.milliseconds,
    phase: () => appliance.state.get().phase,
    /** Lets the time run to the next question, and waits for its answer. */
    async next() {
      const due = timer
      timer = undefined
      clock += due?.milliseconds ?? 0
      due?.work()
      await settled()
    },
    settled,
  }
}

describe('how the appliance stands', () => {
  it('is asked once where it serves', async () => {
    const { appliance, planned, asked } = behind(is('ready', '', { empty: true }))
    expect(appliance.state.get()).toEqual({ phase: 'asking' })
    await appliance.look()
    expect(appliance.state.get()).toEqual({ phase: 'open', empty: true })
    expect(planned()).toBeUndefined()
    expect(asked()).toBe(1)
  })

  it('is asked until it serves, and says then what was done', async () => {
    const { appliance, next, planned } = behind(is('starting'), is('working', 'migrate', { done: 3, total: 9 }), is('ready'))
    await appliance.look()
    expect(appliance.state.get()).toEqual({ phase: 'closed', work: '', done: 0, total: 0 })
    await next()
    expect(appliance.state.get()).toEqual({ phase: 'closed', work: 'migrate', done: 3, total: 9 })
    await next()
    expect(appliance.state.get()).toEqual({ phase: 'open', empty: false, outcome: { work: 'migrate', fault: '' } })
    expect(planned()).toBeUndefined()
    appliance.settle()
    expect(appliance.state.get()).toEqual({ phase: 'open', empty: false })
  })

  it('is away until the first answer comes', async () => {
    const { appliance, next, phase } = behind(away, is('ready'))
    await appliance.look()
    expect(appliance.state.get()).toEqual({ phase: 'away', fault: away })
    await next()
    expect(phase()).toBe('open')
  })

  it('is still open when an answer fails: its pages say so themselves', async () => {
    const { appliance, phase, planned } = behind(is('ready'), away)
    await appliance.look()
    await appliance.look()
    expect(phase()).toBe('open')
    expect(planned()).toBeUndefined()
  })

  it('is asked at once when the API says that the file is closed', async () => {
    const { appliance, settled } = behind(is('ready'), is('sealed', '', { recovery: true }))
    await appliance.look()
    appliance.refused()
    await settled()
    expect(appliance.state.get()).toEqual({ phase: 'sealed', recovery: true })
  })

  it('stays sealed while answers fail, and opens when another has opened it', async () => {
    const { appliance, next, phase } = behind(is('sealed'), away, is('ready'))
    await appliance.look()
    await next()
    expect(phase()).toBe('sealed')
    await next()
    expect(appliance.state.get()).toEqual({ phase: 'open', empty: false })
  })

  it('is open as soon as a sign-in has opened it; an older answer counts no more', async () => {
    const { appliance, phase, planned, settled } = behind(is('sealed'))
    await appliance.look()
    const late = appliance.look()
    appliance.opened()
    await late
    await settled()
    expect(phase()).toBe('open')
    expect(planned()).toBeUndefined()
  })
})

describe('an order to restore', () => {
  it('closes the console at once, though the file is open for another moment', async () => {
    const { appliance, next, phase, settled } = behind(is('ready'), is('ready'), is('working', 'restore'), is('ready'))
    await appliance.look()
    appliance.expect('restore')
    expect(appliance.state.get()).toEqual({ phase: 'closed', work: 'restore', done: 0, total: 0 })
    await settled()
    expect(phase()).toBe('closed')
    await next()
    expect(phase()).toBe('closed')
    await next()
    expect(appliance.state.get()).toEqual({ phase: 'open', empty: false, outcome: { work: 'restore', fault: '' } })
  })

  it('that was over before it was seen is over a few seconds later', async () => {
    const { appliance, next, phase, settled } = behind(is('ready'))
    await appliance.look()
    appliance.expect('restore')
    await settled()
    let questions = 0
    while (phase() === 'closed' && questions++ < 20) await next()
    expect(appliance.state.get()).toEqual({ phase: 'open', empty: false, outcome: { work: 'restore', fault: '' } })
    expect(questions).toBeGreaterThan(3)
  })

  it('outlasts a server that is gone for a while', async () => {
    const { appliance, next, phase, settled } = behind(is('ready'), away, away, is('ready'))
    await appliance.look()
    appliance.expect('restore')
    await settled()
    await next()
    expect(phase()).toBe('closed')
    await next()
    expect(appliance.state.get()).toMatchObject({ phase: 'open', outcome: { work: 'restore', fault: '' } })
  })

  it('that failed gives the sentence', async () => {
    const failed = is('ready', '', { error_code: 'backup_damaged', error_message: '未能完成' })
    const { appliance, next, settled } = behind(is('ready'), is('working', 'restore'), failed)
    await appliance.look()
    appliance.expect('restore')
    await settled()
    await next()
    expect(appliance.state.get()).toEqual({ phase: 'open', empty: false, outcome: { work: 'restore', fault: '未能完成' } })
  })

  it('may end sealed: the backup came from another machine', async () => {
    const { appliance, next, phase, settled } = behind(is('ready'), is('working', 'restore'), is('sealed'))
    await appliance.look()
    appliance.expect('restore')
    await settled()
    await next()
    expect(phase()).toBe('sealed')
  })
})
