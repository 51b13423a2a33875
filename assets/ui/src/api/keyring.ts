import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { call } from './call'
import type { Job } from './jobs'

/** One way to open the data file. */
export interface Slot {
  id: number
  kind: 'machine' | 'password' | 'recovery'
  account_id: string
  username: string
  created_at: string | null
  last_used_at: string | null
}

export interface Keyring {
  slots: Slot[]
  recovery_set: boolean
  data_key: { id: number; created_at: string | null }
  /** The rotation that is under way, or ''. */
  job_id: string
}

export function useKeyring(enabled = true) {
  return useQuery({
    queryKey: ['keyring'],
    enabled,
    queryFn: ({ signal }) => call<Keyring>('/keyring', { signal }),
  })
}

function useChange<In, Out>(change: (given: In) => Promise<Out>) {
  const queries = useQueryClient()
  return useMutation({ mutationFn: change, onSettled: () => queries.invalidateQueries({ queryKey: ['keyring'] }) })
}

/** Makes a recovery code, which counts once it was confirmed. It is in this answer and nowhere else. */
export const useMakeRecovery = () =>
  useChange((password: string) => call<{ code: string }>('/keyring/recovery', { method: 'POST', body: { password } }))

export const useConfirmRecovery = () =>
  useChange((code: string) => call<unknown>('/keyring/recovery/confirm', { method: 'POST', body: { code } }))

export const useRotateKeys = () => useChange((password: string) => call<Job>('/keyring/rotate', { method: 'POST', body: { password } }))
