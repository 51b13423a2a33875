import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import type { VendorText } from './apps'
import { call, page } from './call'
import type { components } from './types'

export type Announcement = components['schemas']['Announcement']

export const announcementTypes = ['notice', 'maintenance', 'release', 'security'] as const
export const priorities = ['high', 'medium', 'low'] as const

export interface AnnouncementDraft {
  app_ids: string[]
  type: Announcement['type']
  priority: Announcement['priority']
  title: VendorText
  body: VendorText
  expires_at?: string | null
}

export function useAnnouncements(filter: { cursor?: string; limit?: number }) {
  return useQuery({
    queryKey: ['announcements', 'list', filter],
    queryFn: ({ signal }) => page<Announcement>('/announcements', { ...filter }, signal),
    placeholderData: (before) => before,
  })
}

/** Writes a new announcement or changes a draft, and publishes it at once if asked to. */
export function useWriteAnnouncement(id?: string) {
  const queries = useQueryClient()
  return useMutation({
    async mutationFn({ draft, publish }: { draft: AnnouncementDraft; publish: boolean }) {
      if (!id) return call<Announcement>('/announcements', { method: 'POST', body: { ...draft, publish } })
      const path = `/announcements/${encodeURIComponent(id)}`
      const changed = await call<Announcement>(path, { method: 'PATCH', body: draft })
      return publish ? call<Announcement>(`${path}/publish`, { method: 'POST', body: {} }) : changed
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ['announcements'] }),
  })
}

export type AnnouncementAction = 'publish' | 'withdraw' | 'delete'

export function useMoveAnnouncement() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn({ id, action }: { id: string; action: AnnouncementAction }) {
      const path = `/announcements/${encodeURIComponent(id)}`
      if (action === 'delete') return call<unknown>(path, { method: 'DELETE' })
      return call<unknown>(`${path}/${action}`, { method: 'POST', body: {} })
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ['announcements'] }),
  })
}
