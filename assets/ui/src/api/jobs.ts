import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { call, page } from './call'
import type { components } from './types'

export type Job = components['schemas']['Job']

export function useJobs(filter: { cursor?: string; limit?: number }) {
  return useQuery({
    queryKey: ['jobs', 'list', filter],
    queryFn: ({ signal }) => page<Job>('/jobs', { ...filter }, signal),
    placeholderData: (before) => before,
    refetchInterval: (query) => (query.state.data?.items.some((job) => job.state === 'running') ? 3000 : false),
  })
}

/** One job. The live line brings its progress; without the line it is asked for every second. */
export function useJob(id: string, lineIsUp: boolean) {
  return useQuery({
    queryKey: ['jobs', 'one', id],
    queryFn: ({ signal }) => call<Job>(`/jobs/${encodeURIComponent(id)}`, { signal }),
    refetchInterval: (query) => {
      if (query.state.data && query.state.data.state !== 'running') return false
      return lineIsUp ? 4000 : 1000
    },
  })
}

export function useCancelJob() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (id: string) => call<unknown>(`/jobs/${encodeURIComponent(id)}/cancel`, { method: 'POST', body: {} }),
    onSettled() {
      for (const noun of ['jobs', 'batches']) void queries.invalidateQueries({ queryKey: [noun] })
    },
  })
}
