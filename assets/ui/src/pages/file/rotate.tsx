import { Alert, Button, Modal, Progress } from 'antd'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useRotateKeys, type Keyring } from '../../api/keyring'
import { useJob, type Job } from '../../api/jobs'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useCan } from '../../parts/can'
import { useLineIsUp } from '../../parts/line'
import { Loaded } from '../../parts/state'
import { percentOf } from '../jobs/percent'
import { Waiting } from '../jobs/waiting'
import { PasswordStep } from './password_step'

/** The change of the data key: what it is for, the order, and how far it is. */
export function Rotate({ keyring }: { keyring: Keyring }) {
  const text = useText()
  const words = text.keyring
  const format = useFormat()
  const mayWrite = useCan('keyring:write')
  const [open, setOpen] = useState(false)
  const [begun, setBegun] = useState('')
  const rotate = useRotateKeys()
  // What came of it is told also when the ring names the job no more.
  if (keyring.job_id && keyring.job_id !== begun) setBegun(keyring.job_id)
  const { id, created_at } = keyring.data_key
  return (
    <section className="sheet pad" aria-labelledby="rotate">
      <div className="row spread sheet-head">
        <h2 className="sheet-title" id="rotate">
          {words.rotate}
        </h2>
        {mayWrite && (
          <Button disabled={keyring.job_id !== ''} onClick={() => setOpen(true)}>
            {words.rotate}
          </Button>
        )}
      </div>
      <p className="soft">{words.rotateHint}</p>
      <p className="faint small">
        {words.dataKey} · {created_at ? words.dataKeyOf(format.number(id), format.dateTime(created_at)) : words.dataKeyFirst}
      </p>
      {begun && <Progressing id={begun} />}
      <Modal
        open={open}
        onCancel={() => setOpen(false)}
        title={words.rotateTitle}
        footer={null}
        closable={{ 'aria-label': text.common.close }}
        mask={{ closable: false }}
        destroyOnHidden
      >
        <PasswordStep
          hint={words.rotateBody}
          submitText={words.rotateSubmit}
          danger
          submit={async (password) => {
            setBegun((await rotate.mutateAsync(password)).id)
            setOpen(false)
          }}
        />
      </Modal>
    </section>
  )
}

function Progressing({ id }: { id: string }) {
  const queries = useQueryClient()
  const query = useJob(id, useLineIsUp())
  const over = query.data !== undefined && query.data.state !== 'running'
  useEffect(() => {
    if (!over) return
    for (const noun of ['keyring', 'file']) void queries.invalidateQueries({ queryKey: [noun] })
  }, [over, queries])
  return <Loaded query={query}>{(job) => <Outcome job={job} />}</Loaded>
}

function Outcome({ job }: { job: Job }) {
  const text = useText()
  const words = text.keyring
  const { number } = useFormat()
  if (job.state === 'done') return <Alert className="under-way" type="success" showIcon title={words.rotated} />
  if (job.state !== 'running') return <Alert className="under-way" type="error" showIcon title={words.rotateFailed} />
  return (
    <div className="under-way" role="status">
      <div className="row spread">
        <strong>{words.rotating}</strong>
        <span className="faint small">{text.generate.progress(number(job.done), number(job.total))}</span>
      </div>
      <Progress percent={percentOf(job)} status="active" aria-label={words.rotating} />
      <Waiting job={job} />
    </div>
  )
}
