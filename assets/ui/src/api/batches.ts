import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { call, page } from './call'
import type { Job } from './jobs'
import type { components } from './types'

export type Batch = components['schemas']['Batch']
export type Validity = components['schemas']['Validity']

export interface NewBatch {
  app_id: string
  name: string
  count: number
  validity: Validity
  devices: number
  note?: string
  price_label?: string
}

export interface BatchFilter {
  app_id?: string
  cursor?: string
  limit?: number
}

export function useBatches(filter: BatchFilter) {
  return useQuery({
    queryKey: ['batches', 'list', filter],
    queryFn: ({ signal }) => page<Batch>('/batches', { ...filter }, signal),
    placeholderData: (before) => before,
  })
}

/** Begins to generate; the job tells how far it is. */
export function useGenerate() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (body: NewBatch) => call<{ batch: Batch; job: Job }>('/batches', { method: 'POST', body }),
    onSuccess({ job }) {
      queries.setQueryData(['jobs', 'one', job.id], job)
      for (const noun of ['batches', 'jobs']) void queries.invalidateQueries({ queryKey: [noun, 'list'] })
    },
  })
}
