import { useApps } from '../api/apps'
import { usePickText } from '../i18n/format'

/** Gives an app's name by its id, and the choices for a select. */
export function useAppNames() {
  const apps = useApps()
  const pick = usePickText()
  const items = apps.data?.items ?? []
  const names = new Map(items.map((app) => [app.id, pick(app.name)]))
  return {
    loading: apps.isPending,
    none: apps.data !== undefined && items.length === 0,
    nameOf: (id: string) => names.get(id) ?? id,
    options: items.map((app) => ({ value: app.id, label: pick(app.name) })),
  }
}
