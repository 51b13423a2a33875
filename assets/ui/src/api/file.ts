import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { longPatience } from './backups'
import { call } from './call'
import type { components } from './types'

/** The data file as it lies on the disk. */
export type DataFile = components['schemas']['File']

export function useDataFile(enabled = true) {
  return useQuery({
    queryKey: ['file'],
    enabled,
    queryFn: ({ signal }) => call<DataFile>('/file', { signal }),
    refetchInterval: (query) => (query.state.data?.compacting ? 1000 : 30_000),
  })
}

export function useCompact() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: () => call<unknown>('/file/compact', { method: 'POST', body: {}, patience: longPatience }),
    onSettled: () => Promise.all(['file', 'status'].map((noun) => queries.invalidateQueries({ queryKey: [noun] }))),
  })
}
