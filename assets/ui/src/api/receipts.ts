import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useCan } from '../parts/can'
import { call, page } from './call'
import type { components } from './types'

/** A licence that a device could show after a restore, which waits for the vendor to decide. */
export type Receipt = components['schemas']['Receipt']

/** What the vendor decides. To adopt may need another card in the unknown one's place, or the end of the device that holds the seat. */
export type Decision = { id: string; decision: 'dismiss' } | { id: string; decision: 'adopt'; card_id: string; replace: boolean }

export function useReceipts(filter: { cursor?: string; limit?: number }, enabled = true) {
  return useQuery({
    queryKey: ['receipts', 'list', filter],
    enabled,
    queryFn: ({ signal }) => page<Receipt>('/receipts', { ...filter }, signal),
    placeholderData: (before) => before,
  })
}

/** How many wait to be decided, up to a page of them. Nothing is asked for those who may not see them. */
export function useReceiptsWaiting(): number {
  const may = useCan('receipts:read')
  return useReceipts({ limit: 50 }, may).data?.items.length ?? 0
}

export function useDecideReceipt() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn({ id, decision, ...how }: Decision) {
      return call<Receipt>(`/receipts/${encodeURIComponent(id)}/${decision}`, { method: 'POST', body: how })
    },
    onSettled: () => Promise.all(['receipts', 'devices', 'cards'].map((noun) => queries.invalidateQueries({ queryKey: [noun] }))),
  })
}
