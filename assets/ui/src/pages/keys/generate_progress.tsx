import { CheckCircleFilled, CloseCircleFilled, StopFilled } from '../../parts/icons'
import { App as Feedback, Button, Progress } from 'antd'
import { useEffect, type ReactNode } from 'react'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from 'react-router'
import type { Batch } from '../../api/batches'
import { useCancelJob, useJob, type Job } from '../../api/jobs'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useLineIsUp } from '../../parts/line'
import { Loaded, useSentence } from '../../parts/state'
import { percentOf } from '../jobs/percent'
import { Waiting } from '../jobs/waiting'
import { ExportButton } from './export_button'

interface GenerateProgressProps {
  batch: Batch
  jobId: string
  again: () => void
  close: () => void
}

/** How far the generation is, a way to cancel it, and what came of it. */
export function GenerateProgress({ batch, jobId, again, close }: GenerateProgressProps) {
  const queries = useQueryClient()
  const query = useJob(jobId, useLineIsUp())
  const over = query.data !== undefined && query.data.state !== 'running'
  useEffect(() => {
    if (!over) return
    for (const noun of ['cards', 'batches', 'apps', 'dashboard']) void queries.invalidateQueries({ queryKey: [noun] })
  }, [over, queries])
  return (
    <Loaded query={query}>
      {(job) => (job.state === 'running' ? <Running job={job} close={close} /> : <Over job={job} batch={batch} again={again} close={close} />)}
    </Loaded>
  )
}

function Running({ job, close }: { job: Job; close: () => void }) {
  const text = useText()
  const words = text.generate
  const { number } = useFormat()
  const sentence = useSentence()
  const { message } = Feedback.useApp()
  const cancel = useCancelJob()
  const stopping = cancel.isPending || cancel.isSuccess
  return (
    <div className="outcome">
      <strong role="status">{words.running}</strong>
      <Progress percent={percentOf(job)} aria-label={words.progressLabel} />
      <span className="soft">{words.progress(number(job.done), number(job.total))}</span>
      <Waiting job={job} />
      <p className="soft small">{words.runningHint}</p>
      <div className="row">
        <Button danger loading={stopping} onClick={() => cancel.mutate(job.id, { onError: (cause) => void message.error(sentence(cause)) })}>
          {stopping ? words.stopping : words.stop}
        </Button>
        <Button onClick={close}>{text.common.close}</Button>
      </div>
    </div>
  )
}

function Over({ job, batch, again, close }: { job: Job; batch: Batch; again: () => void; close: () => void }) {
  const text = useText()
  const words = text.generate
  const { number } = useFormat()
  const navigate = useNavigate()
  if (job.state === 'done') {
    return (
      <Outcome icon={<CheckCircleFilled className="good" />} title={words.done} hint={words.doneHint(number(batch.count))}>
        <ExportButton type="primary" filter={{ batch_id: batch.id }} />
        <Button
          onClick={() => {
            close()
            void navigate(`/keys?app=${batch.app_id}&batch=${batch.id}`)
          }}
        >
          {words.viewKeys}
        </Button>
        <Button type="text" onClick={again}>
          {words.again}
        </Button>
      </Outcome>
    )
  }
  const cancelled = job.state === 'cancelled'
  return (
    <Outcome
      icon={cancelled ? <StopFilled className="faint" /> : <CloseCircleFilled className="bad" />}
      title={cancelled ? words.cancelled : words.failed}
      hint={cancelled ? words.cancelledHint : words.failedHint}
    >
      <Button type="primary" onClick={again}>
        {words.again}
      </Button>
      <Button onClick={close}>{text.common.close}</Button>
    </Outcome>
  )
}

function Outcome({ icon, title, hint, children }: { icon: ReactNode; title: string; hint: string; children: ReactNode }) {
  return (
    <div className="outcome">
      {icon}
      <strong role="status">{title}</strong>
      <p className="soft">{hint}</p>
      <div className="row">{children}</div>
    </div>
  )
}
