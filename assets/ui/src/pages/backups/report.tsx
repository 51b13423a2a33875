import { Alert } from 'antd'
import type { BackupReport } from '../../api/backups'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { Copyable } from '../../parts/copy'

/** The tables that mean something to a vendor, in the order in which they are told. */
const told = ['apps', 'batches', 'cards', 'licences', 'bindings', 'accounts', 'announcements', 'receipts', 'events'] as const

/** What is in a backup that was looked at. `made`: when it was made, where that is known. */
export function Report({ report, made, brief }: { report: BackupReport; made?: string | null; brief?: boolean }) {
  const text = useText()
  const words = text.report
  const format = useFormat()
  const foreign = report.seal === 'other_machine'
  return (
    <div className="stack">
      {!brief && <Alert type={foreign ? 'warning' : 'success'} showIcon title={foreign ? words.goodSealed : words.good} />}
      <dl className="facts">
        <dt>{words.newest}</dt>
        <dd className="strong">{format.dateTime(report.newest_at)}</dd>
        {made && (
          <>
            <dt>{words.made}</dt>
            <dd>{format.dateTime(made)}</dd>
          </>
        )}
        <dt>{words.size}</dt>
        <dd>{format.bytes(report.bytes)}</dd>
        <dt>{words.seal}</dt>
        <dd>{words.seals[!foreign ? 'this_machine' : report.password ? 'other_machine' : 'by_code']}</dd>
        <dt>{words.release}</dt>
        <dd>{report.release || text.common.none}</dd>
        {!brief && (
          <>
            <dt>{words.epoch}</dt>
            <dd>
              {format.number(report.epoch)}
              <span className="faint small note">{words.epochHint}</span>
            </dd>
            <dt>{words.sha256}</dt>
            <dd>
              <Copyable value={report.sha256} what={words.sha256} />
            </dd>
          </>
        )}
      </dl>
      <Counts rows={report.rows} />
    </div>
  )
}

function Counts({ rows }: { rows: Record<string, number> }) {
  const text = useText()
  const format = useFormat()
  return (
    <section aria-label={text.report.rows}>
      <h3 className="counts-title">{text.report.rows}</h3>
      <ul className="counts">
        {told
          .filter((table) => rows[table] !== undefined)
          .map((table) => (
            <li key={table}>
              <span>{text.report.tables[table]}</span>
              <b>{format.number(rows[table] ?? 0)}</b>
            </li>
          ))}
      </ul>
    </section>
  )
}
