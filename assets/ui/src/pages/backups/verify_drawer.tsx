import { Drawer } from 'antd'
import { useReport, type Backup } from '../../api/backups'
import { useText } from '../../i18n/text'
import { Loaded } from '../../parts/state'
import { Looking } from './looking'
import { Report } from './report'

/** Reads all of a backup and tells what is in it. Open while one is given. */
export function VerifyDrawer({ backup, close }: { backup: Backup | undefined; close: () => void }) {
  const text = useText()
  return (
    <Drawer
      open={backup !== undefined}
      onClose={close}
      size={480}
      title={text.report.title}
      closable={{ 'aria-label': text.common.close }}
      destroyOnHidden
    >
      {backup && <Verified backup={backup} />}
    </Drawer>
  )
}

function Verified({ backup }: { backup: Backup }) {
  return (
    <div className="stack">
      <code className="break">{backup.name}</code>
      <Loaded query={useReport(backup)} waiting={<Looking />}>
        {(report) => <Report report={report} made={backup.changed_at} />}
      </Loaded>
    </div>
  )
}
