import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { call, page } from './call'
import type { components } from './types'

export type App = components['schemas']['App']
export type Policy = components['schemas']['Policy']
export type SigningKey = components['schemas']['SigningKey']
export type VendorText = components['schemas']['Text']
export type CardCounts = components['schemas']['CardCounts']

export interface AppChange {
  name?: VendorText
  description?: VendorText
  state?: App['state']
  policy?: Policy
}

/** The vendor's apps: the first 200, which is every app of most vendors. */
export function useApps() {
  return useQuery({
    queryKey: ['apps', 'list'],
    queryFn: ({ signal }) => page<App>('/apps', { limit: 200 }, signal),
  })
}

export function useApp(id: string) {
  return useQuery({
    queryKey: ['apps', 'one', id],
    queryFn: ({ signal }) => call<App>(`/apps/${encodeURIComponent(id)}`, { signal }),
  })
}

export function useSample(id: string) {
  return useQuery({
    queryKey: ['sample', id],
    queryFn: ({ signal }) => call<components['schemas']['Sample']>(`/apps/${encodeURIComponent(id)}/sample`, { signal }),
  })
}

export function useCreateApp() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (body: { name: VendorText; description?: VendorText }) => call<App>('/apps', { method: 'POST', body }),
    onSuccess(app) {
      queries.setQueryData(['apps', 'one', app.id], app)
      void queries.invalidateQueries({ queryKey: ['apps', 'list'] })
      void queries.invalidateQueries({ queryKey: ['dashboard'] })
    },
  })
}

export function useChangeApp(id: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (body: AppChange) => call<App>(`/apps/${encodeURIComponent(id)}`, { method: 'PATCH', body }),
    onSuccess(app) {
      queries.setQueryData(['apps', 'one', id], app)
      void queries.invalidateQueries({ queryKey: ['apps', 'list'] })
    },
  })
}
