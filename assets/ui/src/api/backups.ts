import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { call, request } from './call'
import { download } from './download'
import { askOpen } from './standing'
import type { components } from './types'
import { upload, type Sent } from './upload'

/** One backup. Its name is unique within its folder. */
export type Backup = components['schemas']['Backup']

/** What can be changed about the plan. */
export type BackupPlan = components['schemas']['BackupPlanIn']

/** The plan, and how it goes. */
export type PlanState = components['schemas']['BackupPlan']

/** What is in a file that was looked at. */
export type BackupReport = components['schemas']['BackupReport']

/** A backup that was sent to an empty appliance, looked at there, and waits for the word to take its place. */
export type Uploaded = components['schemas']['Upload']

/** Looking at all of a large file takes its time. */
export const longPatience = 15 * 60_000

/** Where a backup is spoken of. */
function placeOf({ name, folder }: Pick<Backup, 'name' | 'folder'>, part = ''): { path: string; query: { folder: string } } {
  return { path: `/backups/${encodeURIComponent(name)}${part}`, query: { folder } }
}

export function useBackups() {
  return useQuery({
    queryKey: ['backups', 'list'],
    queryFn: ({ signal }) => call<{ items: Backup[] }>('/backups', { signal }),
  })
}

/** The plan. A backup that is being made has no events of its own, so it is asked for until it is done. */
export function usePlan(enabled = true) {
  const queries = useQueryClient()
  return useQuery({
    queryKey: ['backups', 'plan'],
    enabled,
    async queryFn({ signal }) {
      const before = queries.getQueryData<PlanState>(['backups', 'plan'])
      const plan = await call<PlanState>('/backup-plan', { signal })
      if (before?.running && !plan.running) void queries.invalidateQueries({ queryKey: ['backups', 'list'] })
      return plan
    },
    refetchInterval: (query) => (query.state.data?.running ? 1000 : false),
  })
}

/** What changes backups; all that is known of them is asked for anew. */
function useChange<In, Out>(change: (given: In) => Promise<Out>) {
  const queries = useQueryClient()
  return useMutation({ mutationFn: change, onSettled: () => queries.invalidateQueries({ queryKey: ['backups'] }) })
}

export const useSetPlan = () => useChange((plan: BackupPlan) => call<PlanState>('/backup-plan', { method: 'PUT', body: plan }))

export const useStartBackup = () => useChange(() => call<unknown>('/backups', { method: 'POST', body: {} }))

export const usePrune = () => useChange(() => call<components['schemas']['Pruned']>('/backup-plan/prune', { method: 'POST', body: {}, patience: longPatience }))

export const useDeleteBackup = () =>
  useChange((backup: Backup) => {
    const { path, query } = placeOf(backup)
    return call<unknown>(path, { method: 'DELETE', query })
  })

/** Reads all of a backup and says what is in it. A short memory spares a second look from the next dialog. */
export function useReport(backup: Backup | undefined) {
  return useQuery({
    queryKey: ['backup report', backup?.folder, backup?.name, backup?.changed_at],
    enabled: backup !== undefined,
    staleTime: 60_000,
    retry: false,
    refetchOnWindowFocus: false,
    queryFn({ signal }) {
      if (!backup) throw new Error('no backup is given')
      const { path, query } = placeOf(backup, '/verify')
      return call<BackupReport>(path, { method: 'POST', query, body: {}, signal, patience: longPatience })
    },
  })
}

export const useRestore = () =>
  useMutation({
    mutationFn({ backup, password }: { backup: Backup; password: string }) {
      const { path, query } = placeOf(backup, '/restore')
      return call<unknown>(path, { method: 'POST', query, body: { password }, patience: longPatience })
    },
  })

export const useTakeBackup = () =>
  useMutation({
    async mutationFn(backup: Backup) {
      const { path, query } = placeOf(backup, '/file')
      await download(await request(path, { query, patience: longPatience }), backup.name)
    },
  })

export const sendBackup = (file: Blob, sent: Sent, signal: AbortSignal): Promise<Uploaded> =>
  upload<Uploaded>('/api/v1/admin/restore-upload', file, sent, signal)

/** Lets a backup that was sent take the place of the empty file. Nobody is signed in on this way. */
export async function restoreUploaded({ id, token }: Uploaded): Promise<void> {
  const path = `/api/v1/admin/restore-upload/${encodeURIComponent(id)}/confirm`
  await askOpen(path, { method: 'POST', body: { token }, patience: longPatience })
}
