import { useQuery } from '@tanstack/react-query'
import { page } from './call'
import type { components } from './types'

export type Account = components['schemas']['Account']

export interface AccountFilter {
  q?: string
  role?: string
  cursor?: string
  limit?: number
}

export function useAccounts(filter: AccountFilter) {
  return useQuery({
    queryKey: ['accounts', 'list', filter],
    queryFn: ({ signal }) => page<Account>('/accounts', { ...filter }, signal),
    placeholderData: (before) => before,
  })
}
