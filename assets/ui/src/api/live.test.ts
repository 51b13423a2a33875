import { describe, expect, it } from 'vitest'
import { createLive, pause, type LiveMessage } from './live'

type Hear = (event: { data: unknown }) => void

/** A socket that the test speaks for. */
class Line {
  sent: unknown[] = []
  closed = false
  private ears: Record<string, Hear[]> = {}

  addEventListener(name: string, hear: Hear) {
    ;(this.ears[name] ??= []).push(hear)
  }
  send(text: string) {
    this.sent.push(JSON.parse(text))
  }
  close() {
    this.closed = true
  }
  open() {
    for (const hear of this.ears['open'] ?? []) hear({ data: undefined })
  }
  say(message: unknown) {
    const data = typeof message === 'string' ? message : JSON.stringify(message)
    for (const hear of this.ears['message'] ?? []) hear({ data })
  }
  drop() {
    for (const hear of this.ears['close'] ?? []) hear({ data: undefined })
  }
}

function stage(ticket: () => Promise<string> = () => Promise.resolve('T')) {
  const lines: Line[] = []
  const heard: LiveMessage[] = []
  const waits: { work: () => void; milliseconds: number }[] = []
  const live = createLive(
    {
      ticket,
      open() {
        const line = new Line()
        lines.push(line)
        return line
      },
      later(work, milliseconds) {
        waits.push({ work, milliseconds })
        return () => undefined
      },
      random: () => 0.5,
    },
    (message) => heard.push(message),
  )
  const line = async (n: number) => {
    await expect.poll(() => lines.length).toBe(n)
    return lines[n - 1]!
  }
  return { live, lines, heard, waits, line }
}

const event = (seq: number) => ({ type: 'event', seq, event: { seq, kind: 'app.created' } })

describe('live line', () => {
  it('says hello by ticket without a number at first, and is on after the welcome', async () => {
    const { live, line } = stage()
    live.start()
    const first = await line(1)
    first.open()
    expect(first.sent).toEqual([{ type: 'hello', ticket: 'T' }])
    expect(live.state.get()).toBe('connecting')
    first.say({ type: 'welcome', seq: 10 })
    expect(live.state.get()).toBe('on')
  })

  it('comes back with the last number seen and hands on each event once', async () => {
    const { live, line, heard, waits } = stage()
    live.start()
    const first = await line(1)
    first.open()
    first.say({ type: 'welcome', seq: 10 })
    first.say(event(11))
    first.say(event(12))
    first.drop()
    expect(live.state.get()).toBe('waiting')
    waits[0]?.work()
    const second = await line(2)
    second.open()
    expect(second.sent).toEqual([{ type: 'hello', ticket: 'T', after: 12 }])
    second.say({ type: 'welcome', seq: 14 })
    second.say(event(12))
    second.say(event(13))
    second.say(event(14))
    expect(heard.map((message) => (message.type === 'event' ? message.seq : message.type))).toEqual([11, 12, 'back', 13, 14])
  })

  it('hands on a reset when the numbers have fallen back', async () => {
    const { live, line, heard, waits } = stage()
    live.start()
    ;(await line(1)).say({ type: 'welcome', seq: 100 })
    ;(await line(1)).drop()
    waits[0]?.work()
    const second = await line(2)
    second.say({ type: 'welcome', seq: 3 })
    second.say(event(4))
    expect(heard.map((message) => message.type)).toEqual(['reset', 'event'])
  })

  it('drops what it does not know', async () => {
    const { live, line, heard } = stage()
    live.start()
    const first = await line(1)
    for (const strange of ['{', '"x"', 'null', { type: 'weather' }, { seq: 1 }]) first.say(strange)
    expect(heard).toEqual([])
  })

  it('waits longer from try to try, and from the start again after a welcome', async () => {
    let tries = 0
    const { live, line, waits } = stage(() => (++tries <= 3 ? Promise.reject(new Error('down')) : Promise.resolve('T')))
    live.start()
    for (let n = 1; n <= 3; n++) {
      await expect.poll(() => waits.length).toBe(n)
      waits[n - 1]?.work()
    }
    const first = await line(1)
    first.say({ type: 'welcome', seq: 1 })
    first.drop()
    expect(waits.map((wait) => wait.milliseconds)).toEqual([pause(0, 0.5), pause(1, 0.5), pause(2, 0.5), pause(0, 0.5)])
  })

  it('is quiet after a stop, whatever the old socket does', async () => {
    const { live, line, heard, waits } = stage()
    live.start()
    const first = await line(1)
    first.say({ type: 'welcome', seq: 1 })
    live.stop()
    expect(first.closed).toBe(true)
    first.say(event(2))
    first.drop()
    expect(heard).toEqual([])
    expect(waits).toEqual([])
    expect(live.state.get()).toBe('off')
  })

  it('opens no socket for a ticket that came after the stop', async () => {
    let give: (ticket: string) => void = () => undefined
    const { live, lines } = stage(() => new Promise((done) => (give = done)))
    live.start()
    live.stop()
    give('late')
    await Promise.resolve()
    expect(lines).toEqual([])
    expect(live.state.get()).toBe('off')
  })

  it('hurries when asked to, but only while it waits', async () => {
    const { live, line, lines } = stage()
    live.start()
    ;(await line(1)).drop()
    live.hurry()
    live.hurry()
    await line(2)
    expect(lines).toHaveLength(2)
  })
})

describe('pause', () => {
  it('stays between a quarter of the step and the step, at most 30 s', () => {
    expect(pause(0, 0)).toBe(250)
    expect(pause(0, 1)).toBe(1000)
    expect(pause(3, 1)).toBe(8000)
    expect(pause(50, 1)).toBe(30_000)
  })
})
