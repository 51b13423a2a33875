import dayjs, { type Dayjs } from 'dayjs'
import type { BackupPlan } from '../../api/backups'

const gigabyte = 1024 ** 3

/** The plan as the form holds it: the time of the day in a day of no meaning, the cap in gigabytes, null where there is none. */
export interface PlanFields {
  enabled: boolean
  at: Dayjs
  keep_days: number
  second_folder?: string
  cap_gb: number | null
}

export const leastGb = 0.01
export const mostGb = 1_000_000

export function fieldsOf(plan: BackupPlan): PlanFields {
  const { enabled, at, keep_days, second_folder = '', cap_bytes = 0 } = plan
  // Three places are enough to give the same bytes back for every cap that this form has made.
  const time = dayjs(`2000-01-01T${at}`)
  return { enabled, at: time, keep_days, second_folder, cap_gb: cap_bytes > 0 ? Math.round((cap_bytes / gigabyte) * 1000) / 1000 : null }
}

export function planOf({ enabled, at, keep_days, second_folder, cap_gb }: PlanFields): BackupPlan {
  return { enabled, at: at.format('HH:mm'), keep_days, second_folder: second_folder?.trim() ?? '', cap_bytes: cap_gb ? Math.round(cap_gb * gigabyte) : 0 }
}
