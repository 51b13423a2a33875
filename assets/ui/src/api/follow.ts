import type { QueryClient } from '@tanstack/react-query'
import type { LiveMessage } from './live'
import type { Page } from './call'
import type { Device } from './devices'
import type { Job } from './jobs'
import type { Status } from './status'

/** The first member of every query's key: one for each noun. */
export type Noun =
  | 'accounts'
  | 'announcements'
  | 'apps'
  | 'backups'
  | 'batches'
  | 'cards'
  | 'dashboard'
  | 'devices'
  | 'file'
  | 'jobs'
  | 'keyring'
  | 'receipts'
  | 'sample'
  | 'status'

const touched: Record<string, Noun[]> = {
  app: ['apps', 'sample'],
  batch: ['batches', 'cards', 'apps', 'jobs'],
  card_key: ['cards', 'batches', 'apps', 'devices'],
  card: ['cards', 'batches', 'apps', 'devices'],
  device: ['devices', 'cards', 'apps'],
  announcement: ['announcements'],
  user: ['accounts'],
  account: ['accounts'],
  job: ['jobs', 'batches'],
  system: ['backups', 'file', 'status'],
  keyring: ['keyring', 'file'],
  receipt: ['receipts', 'devices', 'cards', 'apps'],
}

/** What changes without an event: presence, the progress of jobs and backups, the window for copies. */
const unlogged = new Set<unknown>(['apps', 'backups', 'dashboard', 'devices', 'file', 'jobs'] satisfies Noun[])

/** The nouns whose pages an event of this kind may change. The dashboard lists every event. */
export function nounsOf(kind: string): Noun[] {
  const head = kind.split('.')[0] ?? ''
  return [...(touched[head] ?? []), 'dashboard']
}

/**
 * What to do with the live line's messages. Events only mark queries as old; they are gathered for
 * `gather` milliseconds, so that a thousand activations a second ask for one new page, not a thousand.
 * Presence and jobs carry the whole new row, which is put in place at once.
 */
export function follower(
  queries: QueryClient,
  later: (work: () => void, milliseconds: number) => unknown,
  gather = 700,
): (message: LiveMessage) => void {
  const old = new Set<Noun>()

  function mark(nouns: Noun[]) {
    if (old.size === 0) later(flush, gather)
    for (const noun of nouns) old.add(noun)
  }

  function flush() {
    const nouns = [...old]
    old.clear()
    for (const noun of nouns) void queries.invalidateQueries({ queryKey: [noun] })
  }

  return (message) => {
    switch (message.type) {
      case 'event':
        putCompacting(queries, message.event.kind)
        mark(nounsOf(message.event.kind))
        return
      case 'presence':
        putInLists<Device>(queries, 'devices', message.device)
        mark(['devices', 'dashboard', 'apps'])
        return
      case 'job':
        queries.setQueryData<Job>(['jobs', 'one', message.job.id], message.job)
        putInLists<Job>(queries, 'jobs', message.job)
        if (message.job.state !== 'running') mark(['jobs', 'batches', 'cards', 'apps', 'dashboard', 'keyring', 'file'])
        return
      case 'back':
        void queries.invalidateQueries({ predicate: ({ queryKey, state }) => state.status === 'error' || unlogged.has(queryKey[0]) })
        return
      case 'reset':
        void queries.invalidateQueries()
    }
  }
}

/** Replaces the row with the same id in every list of the noun that is held. */
function putInLists<T extends { id: string }>(queries: QueryClient, noun: Noun, row: T): void {
  queries.setQueriesData<Page<T>>({ queryKey: [noun, 'list'] }, (page) => {
    if (!page?.items.some((item) => item.id === row.id)) return page
    return { ...page, items: page.items.map((item) => (item.id === row.id ? { ...item, ...row } : item)) }
  })
}

/** Compaction is told at once: the pause that it makes is short. Where it failed there may be no more than an error. */
function putCompacting(queries: QueryClient, kind: string): void {
  if (kind !== 'system.compacting' && kind !== 'system.compacted' && kind !== 'system.error') return
  queries.setQueryData<Status>(['status'], (status) => status && { ...status, compacting: kind === 'system.compacting' })
}
