import type { BackupPlan } from '../../api/backups'

const gigabyte = 1024 ** 3

/** The plan as the form holds it: the cap in gigabytes, null where there is none. */
export interface PlanFields {
  enabled: boolean
  at: string
  keep_days: number
  second_folder: string
  cap_gb: number | null
}

export const leastGb = 0.01
export const mostGb = 1_000_000

export function fieldsOf(plan: BackupPlan): PlanFields {
  const { enabled, at, keep_days, second_folder, cap_bytes } = plan
  // Three places are enough to give the same bytes back for every cap that this form has made.
  return { enabled, at, keep_days, second_folder, cap_gb: cap_bytes > 0 ? Math.round((cap_bytes / gigabyte) * 1000) / 1000 : null }
}

export function planOf({ enabled, at, keep_days, second_folder, cap_gb }: PlanFields): BackupPlan {
  return { enabled, at, keep_days, second_folder: (second_folder ?? '').trim(), cap_bytes: cap_gb ? Math.round(cap_gb * gigabyte) : 0 }
}
