import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { call, page, request, type Page } from './call'
import { download } from './download'
import type { components } from './types'

export type Card = components['schemas']['Card']
export type CardDetail = components['schemas']['CardDetail']
export type CardChange = components['schemas']['CardChange']
export type CardAction = 'enable' | 'disable' | 'delete'

export const cardStates = ['unused', 'active', 'expired', 'disabled', 'deleted'] as const

/** The most card keys that one call changes. */
export const mostAtOnce = 500

export interface CardFilter {
  app_id?: string
  batch_id?: string
  state?: string
  key?: string
  cursor?: string
  limit?: number
}

/** A whole card key goes into the body: it is a secret, and addresses are written down. */
function cards({ key, ...filter }: CardFilter, signal: AbortSignal): Promise<Page<Card>> {
  return key
    ? call<Page<Card>>('/cards/find', { method: 'POST', body: { key }, signal })
    : page<Card>('/cards', filter, signal)
}

export function useCards(filter: CardFilter) {
  return useQuery({
    queryKey: ['cards', 'list', filter],
    queryFn: ({ signal }) => cards(filter, signal),
    placeholderData: (before) => before,
  })
}

export function useCard(id: string) {
  return useQuery({
    queryKey: ['cards', 'one', id],
    queryFn: ({ signal }) => call<CardDetail>(`/cards/${encodeURIComponent(id)}`, { signal }),
  })
}

export function useChangeCards() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: ({ action, ids, reason }: { action: CardAction; ids: string[]; reason?: string }) =>
      call<CardChange>(`/cards/${action}`, { method: 'POST', body: { ids, reason: reason || undefined } }),
    onSuccess() {
      for (const noun of ['cards', 'batches', 'apps', 'dashboard']) void queries.invalidateQueries({ queryKey: [noun] })
    },
  })
}

/** Fetches the CSV of a batch, an app or a state, and hands it to the browser as a file. */
export async function exportCards(
  filter: { batch_id?: string; app_id?: string; state?: string },
  fallbackName: string,
): Promise<void> {
  await download(await request('/exports/cards', { query: { ...filter, format: 'csv' } }), fallbackName)
}
