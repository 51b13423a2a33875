import { useStatus } from '../../api/status'
import type { Format } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { Copyable } from '../../parts/copy'
import { Loaded } from '../../parts/state'

/** What runs here, and where it listens. */
export function System({ format }: { format: Format }) {
  const text = useText()
  const words = text.dashboard
  return (
    <section className="sheet pad" aria-labelledby="system">
      <h2 className="sheet-title gap" id="system">
        {words.system}
      </h2>
      <Loaded query={useStatus()}>
        {(status) => (
          <dl className="facts">
            <dt>{words.version}</dt>
            <dd>{status.version}</dd>
            <dt>{words.clientUrl}</dt>
            <dd>
              <Copyable value={status.client_url} what={words.clientUrl} />
            </dd>
            <dt>{words.consoleUrl}</dt>
            <dd>
              <Copyable value={status.console_url} what={words.consoleUrl} />
            </dd>
            <dt>{words.dataFile}</dt>
            <dd className="mono">{status.data_file}</dd>
            <dt>{words.fileSize}</dt>
            <dd>{format.bytes(status.file_bytes)}</dd>
            <dt>{words.started}</dt>
            <dd>{format.dateTime(status.started_at)}</dd>
          </dl>
        )}
      </Loaded>
    </section>
  )
}
