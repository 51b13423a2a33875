import { Alert, App as Feedback, Button } from 'antd'
import { useCompact, useDataFile, type DataFile } from '../../api/file'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useCan } from '../../parts/can'
import { Copyable } from '../../parts/copy'
import { spanText } from '../../parts/span'
import { Loaded, useSentence } from '../../parts/state'

/** The file as it lies on the disk: how it may be copied, whether it is whole, and the way to make it smaller. */
export function DataFileSheet() {
  const text = useText()
  const query = useDataFile()
  return (
    <section className="sheet pad" aria-labelledby="data-file">
      <div className="row spread sheet-head">
        <h2 className="sheet-title" id="data-file">
          {text.file.sheet}
        </h2>
        {query.data && <Compact file={query.data} />}
      </div>
      <Loaded query={query}>{(file) => <Facts file={file} />}</Loaded>
    </section>
  )
}

function Facts({ file }: { file: DataFile }) {
  const text = useText()
  const words = text.file
  const format = useFormat()
  return (
    <div className="stack">
      <Warnings file={file} />
      <dl className="facts">
        <dt>{words.path}</dt>
        <dd>
          <Copyable value={file.path} what={words.path} />
        </dd>
        <dt>{words.size}</dt>
        <dd>{format.bytes(file.bytes)}</dd>
        <dt>{words.copy}</dt>
        <dd>
          <CopyWindow file={file} />
        </dd>
        <dt>{words.start}</dt>
        <dd>{file.clean_start ? words.clean : words.unclean}</dd>
        <dt>{words.check}</dt>
        <dd>
          <LastCheck check={file.last_check} />
        </dd>
        <dt>{words.release}</dt>
        <dd>{file.release || text.common.none}</dd>
        <dt>{words.appliance}</dt>
        <dd>
          <Copyable value={file.appliance_id} what={words.appliance} />
          {file.copied_at && <span className="faint small note">{words.copiedAt(format.dateTime(file.copied_at))}</span>}
        </dd>
        <dt>{words.epoch}</dt>
        <dd>
          {format.number(file.epoch)}
          <span className="faint small note">{text.report.epochHint}</span>
        </dd>
      </dl>
      <p className="faint small">{words.compactHint}</p>
    </div>
  )
}

function Warnings({ file }: { file: DataFile }) {
  const words = useText().file
  return (
    <>
      {file.last_check.at && !file.last_check.ok && <Alert type="error" showIcon role="alert" title={words.faultsTitle} description={words.faultsHint} />}
      {file.low_space && <Alert type="warning" showIcon role="alert" title={words.lowTitle} description={words.lowHint} />}
    </>
  )
}

/** How long a plain copy may take, in words, and what that costs. */
function CopyWindow({ file }: { file: DataFile }) {
  const text = useText()
  const words = text.file
  const format = useFormat()
  const { copy_window_seconds: now, copy_window_wanted: usual } = file
  const short = now < usual
  return (
    <>
      <p className={now < 1 ? 'warn-text' : undefined}>{now < 1 ? words.copyNone : words.copyGood(spanText(now, text.span))}</p>
      {short && now >= 1 && <p className="warn-text small">{words.copyShort(spanText(usual, text.span))}</p>}
      {file.pins > 0 && <p className="faint small">{words.pinsOf(format.number(file.pins), format.bytes(file.pinned_bytes))}</p>}
    </>
  )
}

function LastCheck({ check }: { check: DataFile['last_check'] }) {
  const words = useText().file
  const format = useFormat()
  if (check.running) return words.checkRunning
  if (!check.at) return words.checkNone
  const when = format.dateTime(check.at)
  return check.ok ? words.checkOk(when) : <span className="bad-text">{words.checkFaults(when, format.number(check.faults))}</span>
}

function Compact({ file }: { file: DataFile }) {
  const text = useText()
  const words = text.file
  const sentence = useSentence()
  const { modal, message } = Feedback.useApp()
  const mayWrite = useCan('file:write')
  const compact = useCompact()
  if (!mayWrite) return null
  const ask = () =>
    void modal.confirm({
      title: words.compactTitle,
      content: words.compactBody,
      okText: words.compact,
      async onOk() {
        try {
          await compact.mutateAsync()
          message.success(words.compactStarted)
        } catch (refusal) {
          message.error(sentence(refusal))
        }
      },
    })
  return (
    <Button loading={compact.isPending || file.compacting} disabled={file.low_space} onClick={ask}>
      {file.compacting ? words.compacting : words.compact}
    </Button>
  )
}
