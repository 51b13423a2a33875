import { Alert, Button, Progress } from 'antd'
import { useEffect, useRef, useState } from 'react'
import { restoreUploaded, sendBackup, type Uploaded } from '../../api/backups'
import { appliance } from '../../api/standing'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { UploadOutlined } from '../../parts/icons'
import { FormFault } from '../../parts/state'
import { Looking } from '../backups/looking'
import { Report } from '../backups/report'
import { Door } from './door'

/** Where somebody stands on the way from a file to a restored appliance. */
type Step =
  | { at: 'choose'; cause?: unknown }
  | { at: 'send'; name: string; sent: number; total: number }
  | { at: 'decide'; name: string; found: Uploaded; cause?: unknown; busy?: boolean }

/** The way of a backup into an appliance that nobody has used: choose, send, look at it, decide. */
export default function RestoreDoor({ back }: { back: () => void }) {
  const text = useText()
  const words = text.restoreDoor
  const [step, setStep] = useState<Step>({ at: 'choose' })
  const heading = useRef<HTMLHeadingElement>(null)
  const sending = useRef<AbortController>(undefined)
  useEffect(() => {
    heading.current?.focus()
    return () => sending.current?.abort()
  }, [])

  const send = async (file: File) => {
    const mine = new AbortController()
    sending.current = mine
    const { name } = file
    setStep({ at: 'send', name, sent: 0, total: file.size })
    try {
      const found = await sendBackup(file, (sent, total) => setStep({ at: 'send', name, sent, total }), mine.signal)
      setStep({ at: 'decide', name, found })
    } catch (refusal) {
      setStep({ at: 'choose', cause: mine.signal.aborted ? undefined : refusal })
    }
  }

  const restore = async (chosen: Extract<Step, { at: 'decide' }>) => {
    setStep({ ...chosen, busy: true, cause: undefined })
    try {
      await restoreUploaded(chosen.found)
      appliance.expect('restore')
    } catch (refusal) {
      setStep({ ...chosen, busy: false, cause: refusal })
    }
  }

  return (
    <Door>
      <h1 ref={heading} tabIndex={-1}>
        {words.title}
      </h1>
      <p>{words.hint}</p>
      {step.at === 'choose' && <Choose cause={step.cause} choose={(file) => void send(file)} />}
      {step.at === 'send' && <Sending step={step} stop={() => sending.current?.abort()} />}
      {step.at === 'decide' && <Decide step={step} restore={() => void restore(step)} other={() => setStep({ at: 'choose' })} />}
      {step.at !== 'send' && (
        <p className="door-foot">
          <Button type="link" onClick={back}>
            {words.back}
          </Button>
        </p>
      )}
    </Door>
  )
}

function Choose({ cause, choose }: { cause: unknown; choose: (file: File) => void }) {
  const text = useText()
  const words = text.restoreDoor
  const field = useRef<HTMLInputElement>(null)
  return (
    <>
      <FormFault cause={cause} />
      <input
        ref={field}
        className="visually-hidden"
        type="file"
        aria-label={words.choose}
        tabIndex={-1}
        onChange={(event) => {
          const file = event.target.files?.[0]
          event.target.value = '' // the same file may be chosen again
          if (file) choose(file)
        }}
      />
      <Button type="primary" size="large" block icon={<UploadOutlined />} onClick={() => field.current?.click()}>
        {words.choose}
      </Button>
      <p className="faint small door-note">{words.chooseHint}</p>
    </>
  )
}

/** Progress of the upload; when all has been sent, the appliance looks at it. */
function Sending({ step, stop }: { step: Extract<Step, { at: 'send' }>; stop: () => void }) {
  const text = useText()
  const words = text.restoreDoor
  const format = useFormat()
  const all = step.total > 0 && step.sent >= step.total
  return (
    <div className="stack">
      <code className="break">{step.name}</code>
      {all ? (
        <Looking />
      ) : (
        <div>
          <Progress percent={Math.floor((step.sent / Math.max(1, step.total)) * 100)} aria-label={words.uploading} />
          <span className="faint small">{words.sent(format.bytes(step.sent), format.bytes(step.total))}</span>
        </div>
      )}
      <Button onClick={stop}>{text.common.cancel}</Button>
    </div>
  )
}

function Decide({ step, restore, other }: { step: Extract<Step, { at: 'decide' }>; restore: () => void; other: () => void }) {
  const text = useText()
  const words = text.restoreDoor
  const { found, name, cause, busy } = step
  return (
    <div className="stack">
      <FormFault cause={cause} />
      <code className="break">{name}</code>
      <Report report={found.report} brief />
      <Alert
        type="warning"
        showIcon
        title={found.report.seal === 'other_machine' ? words.sealed : words.confirmHint}
      />
      <Button type="primary" size="large" block loading={busy} onClick={restore}>
        {words.submit}
      </Button>
      <Button block disabled={busy} onClick={other}>
        {words.other}
      </Button>
    </div>
  )
}
