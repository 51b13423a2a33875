import { QueryClient } from '@tanstack/react-query'
import { describe, expect, it } from 'vitest'
import { follower, nounsOf } from './follow'
import type { LiveMessage } from './live'
import { askAgain, type Status } from './status'

function stage() {
  const queries = new QueryClient()
  const works: (() => void)[] = []
  const follow = follower(queries, (work) => works.push(work))
  const old = (key: unknown[]) => queries.getQueryState(key)?.isInvalidated
  return { queries, works, follow, old }
}

const event = (kind: string) => ({ type: 'event', seq: 1, event: { kind } }) as LiveMessage

describe('follower', () => {
  it('gathers events and marks each noun they touch as old', () => {
    const { queries, works, follow, old } = stage()
    for (const noun of ['cards', 'announcements', 'dashboard']) queries.setQueryData([noun, 'list', {}], { items: [], next: '' })
    for (let n = 0; n < 1000; n++) follow(event('card_key.activated'))
    expect(works).toHaveLength(1)
    expect(old(['cards', 'list', {}])).toBe(false)
    works[0]?.()
    expect(old(['cards', 'list', {}])).toBe(true)
    expect(old(['dashboard', 'list', {}])).toBe(true)
    expect(old(['announcements', 'list', {}])).toBe(false)
    follow(event('announcement.published'))
    expect(works).toHaveLength(2)
  })

  it('puts a device that comes online into the lists at once', () => {
    const { queries, follow } = stage()
    const key = ['devices', 'list', { online: undefined }]
    queries.setQueryData(key, { items: [{ id: 'd1', online: false, version: '1' }, { id: 'd2', online: false }], next: '' })
    follow({ type: 'presence', device: { id: 'd1', online: true } } as LiveMessage)
    expect(queries.getQueryData(key)).toEqual({
      items: [{ id: 'd1', online: true, version: '1' }, { id: 'd2', online: false }],
      next: '',
    })
  })

  it('shows a job as far as it is, and marks what it changed once it is over', () => {
    const { queries, works, follow, old } = stage()
    queries.setQueryData(['batches', 'list', {}], { items: [], next: '' })
    follow({ type: 'job', job: { id: 'j', state: 'running', done: 5 } } as LiveMessage)
    expect(queries.getQueryData(['jobs', 'one', 'j'])).toMatchObject({ done: 5 })
    expect(works).toHaveLength(0)
    follow({ type: 'job', job: { id: 'j', state: 'done', done: 9 } } as LiveMessage)
    works[0]?.()
    expect(old(['batches', 'list', {}])).toBe(true)
  })

  it('asks anew, once the line is back, for what failed and for what is in no event', async () => {
    const { queries, follow, old } = stage()
    queries.setQueryData(['devices', 'list', {}], {})
    queries.setQueryData(['announcements', 'list', {}], {})
    await queries.prefetchQuery({ queryKey: ['batches', 'list', {}], queryFn: () => Promise.reject(new Error('down')), retry: false })
    follow({ type: 'back' })
    expect(old(['devices', 'list', {}])).toBe(true)
    expect(old(['batches', 'list', {}])).toBe(true)
    expect(old(['announcements', 'list', {}])).toBe(false)
  })

  it('marks everything as old after a reset', () => {
    const { queries, follow, old } = stage()
    queries.setQueryData(['status'], {})
    follow({ type: 'reset' })
    expect(old(['status'])).toBe(true)
  })

  it('says at once that the file is compacted, and takes the word away at the end', () => {
    const { queries, works, follow, old } = stage()
    const compacting = () => queries.getQueryData<Status>(['status'])?.compacting
    follow(event('system.compacting'))
    expect(queries.getQueryData(['status'])).toBeUndefined() // there is nothing to change yet
    for (const end of ['system.compacted', 'system.error']) {
      queries.setQueryData(['status'], { version: '1', compacting: false })
      follow(event('system.compacting'))
      expect(queries.getQueryData(['status'])).toEqual({ version: '1', compacting: true })
      follow(event('system.backup'))
      expect(compacting()).toBe(true)
      follow(event(end))
      expect(compacting()).toBe(false)
    }
    works.at(-1)?.()
    expect(old(['status'])).toBe(true)
  })

  it('asks every second while the file is compacted: a missed end does not leave the word standing', () => {
    const status = { compacting: true } as Status
    expect(askAgain(status)).toBe(1000)
    expect(askAgain({ ...status, compacting: false })).toBe(false)
    expect(askAgain(undefined)).toBe(false)
  })

  it('knows an unknown kind as one for the overview only', () => {
    expect(nounsOf('weather.rain')).toEqual(['dashboard'])
  })
})
