import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { call } from './call'
import type { components } from './types'

export type Status = components['schemas']['Status']

/** How soon to ask again: every second while the file is compacted, so that the word of it goes also without an event. */
export const askAgain = (status: Status | undefined): number | false => (status?.compacting ? 1000 : false)

export function useStatus() {
  return useQuery({
    queryKey: ['status'],
    queryFn: ({ signal }) => call<Status>('/status', { signal }),
    staleTime: 10_000,
    refetchInterval: ({ state }) => askAgain(state.data),
  })
}

/** The word that the clock, which jumped ahead, is right: what it says is old is taken away again. */
export function useConfirmClock() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: () => call<unknown>('/clock/confirm', { method: 'POST', body: {} }),
    onSettled: () => queries.invalidateQueries({ queryKey: ['status'] }),
  })
}
