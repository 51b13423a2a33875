import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { longPatience } from './backups'
import { call } from './call'

/** The data file as it lies on the disk. */
export interface DataFile {
  path: string
  bytes: number
  copy_window_seconds: number
  copy_window_wanted: number
  pins: number
  pinned_bytes: number
  gaps: number
  clean_start: boolean
  last_check: { at: string | null; ok: boolean; faults: number; running: boolean }
  low_space: boolean
  epoch: number
  schema: number
  release: string
  compacting: boolean
}

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
