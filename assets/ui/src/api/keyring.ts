import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { call } from './call'
import type { Job } from './jobs'
import type { components } from './types'

/** One way to open the data file. */
export type Slot = components['schemas']['Slot']

export type Keyring = components['schemas']['Keyring']

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
  useChange((password: string) => call<components['schemas']['Code']>('/keyring/recovery', { method: 'POST', body: { password } }))

export const useConfirmRecovery = () =>
  useChange((code: string) => call<unknown>('/keyring/recovery/confirm', { method: 'POST', body: { code } }))

export const useRotateKeys = () => useChange((password: string) => call<Job>('/keyring/rotate', { method: 'POST', body: { password } }))
