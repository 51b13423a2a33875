import { App as Feedback, Button, Dropdown, type MenuProps } from 'antd'
import { useState } from 'react'
import { useBackups, useDeleteBackup, usePrune, useTakeBackup, type Backup } from '../../api/backups'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useCan } from '../../parts/can'
import { DeleteOutlined, DownloadOutlined, MoreOutlined } from '../../parts/icons'
import { Listing, type Column } from '../../parts/listing'
import { Loaded, Nothing, useSentence } from '../../parts/state'
import { RestoreDialog } from './restore_dialog'
import { VerifyDrawer } from './verify_drawer'

/** A backup as a row: a name is unique within its folder alone. */
type Row = Backup & { id: string }

/** The backups that lie in both folders, newest first, and what can be done with each. */
export function BackupList() {
  const text = useText()
  const words = text.backups
  const format = useFormat()
  const query = useBackups()
  const [verifying, setVerifying] = useState<Backup>()
  const [restoring, setRestoring] = useState<Backup>()
  const columns = useColumns(setVerifying, setRestoring)
  const rows = rowsOf(query.data?.items ?? [])
  const size = rows.reduce((sum, { bytes }) => sum + bytes, 0)
  return (
    <section className="sheet" aria-labelledby="backups">
      <div className="row spread list-head">
        <div>
          <h2 className="sheet-title" id="backups">
            {words.list}
          </h2>
          {rows.length > 0 && <span className="faint small">{words.listCount(format.number(rows.length), format.bytes(size))}</span>}
        </div>
        {rows.length > 0 && <Prune />}
      </div>
      <Loaded query={query}>
        {() =>
          rows.length === 0 ? (
            <Nothing small title={words.empty} hint={words.emptyHint} />
          ) : (
            <Listing label={words.list} rows={rows} columns={columns} />
          )
        }
      </Loaded>
      <VerifyDrawer backup={verifying} close={() => setVerifying(undefined)} />
      <RestoreDialog backup={restoring} close={() => setRestoring(undefined)} />
    </section>
  )
}

/** The newest first; of one time the one in the main folder. */
function rowsOf(backups: Backup[]): Row[] {
  return backups
    .map((backup) => ({ ...backup, id: `${backup.folder}/${backup.name}` }))
    .sort((a, b) => (b.changed_at ?? '').localeCompare(a.changed_at ?? '') || a.folder.localeCompare(b.folder))
}

function Prune() {
  const text = useText()
  const words = text.backups
  const format = useFormat()
  const sentence = useSentence()
  const { modal, message } = Feedback.useApp()
  const mayWrite = useCan('file:write')
  const prune = usePrune()
  if (!mayWrite) return null
  const ask = () =>
    void modal.confirm({
      title: words.pruneTitle,
      content: words.pruneHint,
      okText: words.prune,
      async onOk() {
        try {
          const { deleted, bytes } = await prune.mutateAsync()
          message.success(deleted > 0 ? words.pruned(deleted, format.bytes(bytes)) : words.prunedNone)
        } catch (refusal) {
          message.error(sentence(refusal))
        }
      },
    })
  return (
    <Button loading={prune.isPending} onClick={ask}>
      {words.prune}
    </Button>
  )
}

function useColumns(verify: (backup: Backup) => void, restore: (backup: Backup) => void): Column<Row>[] {
  const text = useText()
  const words = text.backups
  const format = useFormat()
  const mayWrite = useCan('file:write')
  return [
    {
      key: 'time',
      title: words.time,
      role: 'heading',
      render: (row) => (
        <time dateTime={row.changed_at ?? undefined} title={format.ago(row.changed_at)}>
          {format.dateTime(row.changed_at)}
        </time>
      ),
    },
    { key: 'folder', title: words.folder, render: (row) => words.folders[row.folder] },
    { key: 'size', title: words.size, end: true, render: (row) => format.bytes(row.bytes) },
    { key: 'file', title: words.file, render: (row) => <FileName row={row} /> },
    {
      key: 'actions',
      title: text.common.actions,
      role: 'bare',
      end: true,
      render: (row) => (
        <span className="row end keep-together">
          <Button size="small" onClick={() => verify(row)}>
            {words.verify}
          </Button>
          {mayWrite && (
            <Button size="small" onClick={() => restore(row)}>
              {words.restore}
            </Button>
          )}
          <More row={row} />
        </span>
      ),
    },
  ]
}

function FileName({ row }: { row: Row }) {
  const words = useText().backups
  return (
    <span className="row">
      <code className="small break">{row.name}</code>
      {!row.compressed && <span className="tag">{words.plain}</span>}
      {!row.summed && <span className="tag warn">{words.unsummed}</span>}
    </span>
  )
}

/** Downloads a backup or deletes it. */
function More({ row }: { row: Row }) {
  const text = useText()
  const words = text.backups
  const sentence = useSentence()
  const { modal, message } = Feedback.useApp()
  const mayWrite = useCan('file:write')
  const take = useTakeBackup()
  const remove = useDeleteBackup()
  const download = async () => {
    const close = message.loading(words.downloading, 0)
    try {
      await take.mutateAsync(row)
    } catch (refusal) {
      message.error(sentence(refusal))
    } finally {
      close()
    }
  }
  const ask = () =>
    void modal.confirm({
      title: words.removeTitle,
      content: <span className="break">{words.removeHint(row.name)}</span>,
      okText: words.remove,
      okButtonProps: { danger: true },
      async onOk() {
        try {
          await remove.mutateAsync(row)
          message.success(words.removed)
        } catch (refusal) {
          message.error(sentence(refusal))
        }
      },
    })
  const items: MenuProps['items'] = [{ key: 'download', icon: <DownloadOutlined />, label: words.download }]
  if (mayWrite) items.push({ key: 'remove', icon: <DeleteOutlined />, label: words.remove, danger: true })
  return (
    <Dropdown menu={{ items, onClick: ({ key }) => (key === 'download' ? void download() : ask()) }} trigger={['click']} placement="bottomRight">
      <Button size="small" icon={<MoreOutlined />} aria-label={words.more} loading={take.isPending} />
    </Dropdown>
  )
}
