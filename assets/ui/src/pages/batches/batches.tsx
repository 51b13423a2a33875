import { PlusOutlined } from '../../parts/icons'
import { Button, Progress } from 'antd'
import { useState } from 'react'
import { Link, useNavigate } from 'react-router'
import { useBatches, type Batch } from '../../api/batches'
import { useJob } from '../../api/jobs'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useAppNames } from '../../parts/app_names'
import { useCan } from '../../parts/can'
import { useCursor } from '../../parts/cursor'
import { FilterSelect } from '../../parts/filter_select'
import { useFilters } from '../../parts/filters'
import { useLineIsUp } from '../../parts/line'
import { Listing, type Column } from '../../parts/listing'
import { Page } from '../../parts/page'
import { Pager } from '../../parts/pager'
import { Loaded, Nothing } from '../../parts/state'
import { Tag } from '../../parts/tags'
import { validityText } from '../../parts/validity'
import { percentOf } from '../jobs/percent'
import { ExportButton } from '../keys/export_button'
import { Generate } from '../keys/generate'

export default function Batches() {
  const text = useText()
  const words = text.batches
  const navigate = useNavigate()
  const apps = useAppNames()
  const [filters, setFilters] = useFilters(['app'])
  const [open, setOpen] = useState(false)
  const cursor = useCursor(filters.app)
  const query = useBatches({ app_id: filters.app, cursor: cursor.at })
  const columns = useBatchColumns()
  const mayGenerate = useCan('batches:write')
  const generate = mayGenerate && !apps.none && (
    <Button type="primary" icon={<PlusOutlined />} onClick={() => setOpen(true)}>
      {text.generate.title}
    </Button>
  )
  const first = apps.none ? (
    <Button type="primary" onClick={() => void navigate('/apps')}>
      {text.apps.create}
    </Button>
  ) : (
    generate
  )
  return (
    <Page title={words.title} intro={words.intro} actions={generate}>
      <section className="sheet">
        <div className="filters">
          <FilterSelect
            label={text.keys.filterApp}
            any={text.keys.anyApp}
            value={filters.app}
            options={apps.options}
            loading={apps.loading}
            choose={(app) => setFilters({ app })}
          />
        </div>
        <Loaded query={query}>
          {(page) =>
            page.items.length === 0 ? (
              <Nothing title={filters.app ? words.noneFound : words.empty} hint={words.emptyHint} action={first} />
            ) : (
              <>
                <Listing label={words.title} rows={page.items} columns={columns} busy={query.isPlaceholderData} />
                <Pager cursor={cursor} next={page.next} />
              </>
            )
          }
        </Loaded>
      </section>
      <Generate open={open} close={() => setOpen(false)} appId={filters.app || undefined} />
    </Page>
  )
}

function useBatchColumns(): Column<Batch>[] {
  const text = useText()
  const words = text.batches
  const format = useFormat()
  const { nameOf } = useAppNames()
  const mayExport = useCan('cards:export')
  return [
    {
      key: 'name',
      title: words.name,
      role: 'heading',
      clip: true,
      render: (batch) => (
        <>
          {batch.state === 'ready' ? (
            <Link className="strong" to={`/keys?app=${batch.app_id}&batch=${batch.id}`}>
              {batch.name}
            </Link>
          ) : (
            <span className="strong">{batch.name}</span>
          )}
          <div className="faint small clip">{[batch.price_label, batch.note].filter(Boolean).join(' · ')}</div>
        </>
      ),
    },
    { key: 'app', title: text.keys.app, clip: true, render: (batch) => nameOf(batch.app_id) },
    { key: 'state', title: text.common.state, render: (batch) => <BatchState batch={batch} /> },
    { key: 'validity', title: text.keys.validity, render: (batch) => validityText(batch.validity, text.validity, format) },
    {
      key: 'used',
      title: words.used,
      end: true,
      render: (batch) => words.usedOf(format.number(batch.cards.total - batch.cards.unused), format.number(batch.count)),
    },
    { key: 'created', title: text.common.created, render: (batch) => format.dateTime(batch.created_at) },
    {
      key: 'actions',
      title: text.common.actions,
      role: 'bare',
      end: true,
      render: (batch) => mayExport && batch.state === 'ready' && <ExportButton size="small" filter={{ batch_id: batch.id }} />,
    },
  ]
}

function BatchState({ batch }: { batch: Batch }) {
  const text = useText()
  if (batch.state === 'generating') return <Generating jobId={batch.job_id} />
  return <Tag state={batch.state} words={text.batches.states} />
}

function Generating({ jobId }: { jobId: string }) {
  const text = useText()
  const job = useJob(jobId, useLineIsUp())
  return (
    <div className="bar-cell">
      <Tag state="generating" words={text.batches.states} />
      {job.data && <Progress size="small" percent={percentOf(job.data)} aria-label={text.generate.progressLabel} />}
    </div>
  )
}
