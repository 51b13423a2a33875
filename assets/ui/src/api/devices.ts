import { useQuery } from '@tanstack/react-query'
import { call, page } from './call'
import type { components } from './types'

export type Device = components['schemas']['Device']

export interface DeviceFilter {
  app_id?: string
  card_id?: string
  online?: boolean
  cursor?: string
  limit?: number
}

export function useDevices(filter: DeviceFilter) {
  return useQuery({
    queryKey: ['devices', 'list', filter],
    queryFn: ({ signal }) => page<Device>('/devices', { ...filter }, signal),
    placeholderData: (before) => before,
  })
}

export function useDevice(id: string) {
  return useQuery({
    queryKey: ['devices', 'one', id],
    queryFn: ({ signal }) => call<Device>(`/devices/${encodeURIComponent(id)}`, { signal }),
  })
}
