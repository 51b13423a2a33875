import type { Job } from '../../api/jobs'
import { useText, wordOf } from '../../i18n/text'

/** Why a job that runs does not go on for now. */
export function Waiting({ job }: { job: Job }) {
  const words = useText().jobs.waits
  return job.wait_code ? <p className="warn-text small">{wordOf(words, job.wait_code)}</p> : null
}
