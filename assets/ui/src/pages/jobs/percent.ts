import type { Job } from '../../api/jobs'

/** How much of a job is done, in whole percent. 100 is kept for a job that is over. */
export function percentOf(job: Pick<Job, 'done' | 'total' | 'state'>): number {
  if (job.state === 'done') return 100
  if (job.total <= 0) return 0
  return Math.max(0, Math.min(99, Math.floor((job.done / job.total) * 100)))
}
