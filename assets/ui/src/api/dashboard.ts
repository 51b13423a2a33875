import { useQuery } from '@tanstack/react-query'
import { call } from './call'
import type { components } from './types'

export type Dashboard = components['schemas']['Dashboard']
export type LogEvent = components['schemas']['Event']

export function useDashboard() {
  return useQuery({
    queryKey: ['dashboard'],
    queryFn: ({ signal }) => call<Dashboard>('/dashboard', { signal }),
    refetchInterval: 60_000,
  })
}
