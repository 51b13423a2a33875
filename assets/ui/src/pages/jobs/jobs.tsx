import { App as Feedback, Button, Progress } from 'antd'
import { useCancelJob, useJobs, type Job } from '../../api/jobs'
import { useFormat } from '../../i18n/format'
import { useText, wordOf } from '../../i18n/text'
import { useCan } from '../../parts/can'
import { useCursor } from '../../parts/cursor'
import { Listing, type Column } from '../../parts/listing'
import { Page } from '../../parts/page'
import { Pager } from '../../parts/pager'
import { Loaded, Nothing, useSentence } from '../../parts/state'
import { Tag } from '../../parts/tags'
import { Waiting } from './waiting'
import { percentOf } from './percent'

export default function Jobs() {
  const text = useText()
  const cursor = useCursor('')
  const query = useJobs({ cursor: cursor.at })
  const columns = useJobColumns()
  return (
    <Page title={text.jobs.title} intro={text.jobs.intro}>
      <section className="sheet">
        <Loaded query={query}>
          {(page) =>
            page.items.length === 0 ? (
              <Nothing title={text.jobs.empty} hint={text.jobs.emptyHint} />
            ) : (
              <>
                <Listing label={text.jobs.title} rows={page.items} columns={columns} busy={query.isPlaceholderData} />
                <Pager cursor={cursor} next={page.next} />
              </>
            )
          }
        </Loaded>
      </section>
    </Page>
  )
}

function useJobColumns(): Column<Job>[] {
  const text = useText()
  const words = text.jobs
  const format = useFormat()
  return [
    { key: 'kind', title: words.kind, role: 'heading', render: (job) => <span className="strong">{wordOf(words.kinds, job.kind)}</span> },
    { key: 'state', title: text.common.state, render: (job) => <Tag state={job.state} words={words.states} /> },
    { key: 'progress', title: words.progress, render: (job) => <JobProgress job={job} /> },
    { key: 'created', title: text.common.created, render: (job) => format.dateTime(job.created_at) },
    { key: 'finished', title: words.finished, render: (job) => job.finished_at && format.dateTime(job.finished_at) },
    { key: 'actions', title: text.common.actions, role: 'bare', end: true, render: (job) => job.state === 'running' && job.kind === 'batch.generate' && <Cancel job={job} /> },
  ]
}

function JobProgress({ job }: { job: Job }) {
  const text = useText()
  const { number } = useFormat()
  const status = job.state === 'failed' ? 'exception' : job.state === 'running' ? 'active' : 'normal'
  return (
    <div className="bar-cell">
      <Progress size="small" percent={percentOf(job)} status={status} aria-label={text.jobs.progress} />
      <span className="faint small">{text.generate.progress(number(job.done), number(job.total))}</span>
      <Waiting job={job} />
    </div>
  )
}

function Cancel({ job }: { job: Job }) {
  const text = useText()
  const words = text.jobs
  const sentence = useSentence()
  const { modal, message } = Feedback.useApp()
  const mayWrite = useCan('jobs:write')
  const cancel = useCancelJob()
  if (!mayWrite) return null
  const ask = () =>
    void modal.confirm({
      title: words.cancelTitle,
      content: words.cancelHint,
      okText: words.cancel,
      cancelText: words.keep,
      okButtonProps: { danger: true },
      onOk: () => cancel.mutateAsync(job.id).catch((cause: unknown) => void message.error(sentence(cause))),
    })
  return (
    <Button size="small" danger loading={cancel.isPending} onClick={ask}>
      {words.cancel}
    </Button>
  )
}
