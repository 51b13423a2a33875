import { Alert, Button, type AlertProps } from 'antd'
import type { ReactNode } from 'react'
import { useNavigate } from 'react-router'
import { usePlan } from '../../api/backups'
import { useDataFile } from '../../api/file'
import { useKeyring } from '../../api/keyring'
import { useReceiptsWaiting } from '../../api/receipts'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useCan } from '../../parts/can'
import { useHidden } from '../../parts/hidden'
import { ClockNotice } from './clock_notice'

/**
 * What needs the vendor: a failed backup, a full disk, a clock that jumped, devices that wait, no recovery code, that it is
 * a copy. Nothing where all is well.
 */
export function Notices() {
  const words = useText().notices
  const format = useFormat()
  const mayFile = useCan('file:read')
  const plan = usePlan(mayFile).data
  const file = useDataFile(mayFile).data
  const keyring = useKeyring(useCan('keyring:read')).data
  const waiting = useReceiptsWaiting()
  const failed = plan?.last_at && !plan.last_ok
  return (
    <>
      {failed && (
        <Notice
          type="error"
          title={words.backupFailed}
          hint={words.backupFailedHint(format.dateTime(plan.last_at), plan.last_error_message || plan.last_error_code)}
          to="/backups"
          action={words.toBackups}
        />
      )}
      {file?.low_space && <Notice type="error" title={words.lowSpace} hint={words.lowSpaceHint} to="/file" action={words.toFile} />}
      <ClockNotice />
      {waiting > 0 && (
        <Notice type="warning" title={words.receipts(format.number(waiting))} hint={words.receiptsHint} to="/receipts" action={words.toReceipts} />
      )}
      {file?.copied_at && <CopyNotice at={file.copied_at} />}
      {keyring && !keyring.recovery_set && (
        <Notice type="warning" title={words.noRecovery} hint={words.noRecoveryHint} to="/file#recovery-code" action={words.toRecovery} />
      )}
    </>
  )
}

/** What it means that this appliance is a copy; until somebody has understood it. */
function CopyNotice({ at }: { at: string }) {
  const words = useText().notices
  const format = useFormat()
  const [hidden, hide] = useHidden('copy_hidden', at)
  if (hidden) return null
  const points = (
    <ul className="points">
      {words.copiedPoints.map((point) => (
        <li key={point}>{point}</li>
      ))}
    </ul>
  )
  return <Notice type="warning" title={words.copied(format.dateTime(at))} hint={points} act={hide} action={words.understood} />
}

interface NoticeProps {
  type: NonNullable<AlertProps['type']>
  title: string
  hint: ReactNode
  /** Where the button leads, or else what it does. */
  to?: string
  act?: () => void
  action: string
}

function Notice({ type, title, hint, to, act, action }: NoticeProps) {
  const navigate = useNavigate()
  return (
    <Alert
      className="notice"
      type={type}
      showIcon
      title={title}
      description={hint}
      action={
        <Button size="small" onClick={() => (to ? void navigate(to) : act?.())}>
          {action}
        </Button>
      }
    />
  )
}
