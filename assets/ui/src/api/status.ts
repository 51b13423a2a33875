import { useQuery } from '@tanstack/react-query'
import { call } from './call'
import type { components } from './types'

export type Status = components['schemas']['Status']

export function useStatus() {
  return useQuery({
    queryKey: ['status'],
    queryFn: ({ signal }) => call<Status>('/status', { signal }),
    staleTime: 10_000,
  })
}
