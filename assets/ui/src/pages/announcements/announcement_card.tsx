import { App as Feedback, Button } from 'antd'
import { useMoveAnnouncement, type Announcement, type AnnouncementAction } from '../../api/announcements'
import { useFormat, usePickText } from '../../i18n/format'
import { useText, wordOf } from '../../i18n/text'
import { useAppNames } from '../../parts/app_names'
import { useCan } from '../../parts/can'
import { useSentence } from '../../parts/state'
import { Tag } from '../../parts/tags'

/** One announcement as it was written, where it stands, and what can be done with it. */
export function AnnouncementCard({ item, edit }: { item: Announcement; edit: () => void }) {
  const text = useText()
  const words = text.announcements
  const pick = usePickText()
  const format = useFormat()
  const { nameOf } = useAppNames()
  const audience = item.app_ids.length === 0 ? words.everyone : item.app_ids.map(nameOf).join(', ')
  return (
    <li className="sheet pad stack tight">
      <div className="row spread">
        <span className="row">
          <Tag state={item.state} words={words.states} />
          <span className="tag">{wordOf(words.types, item.type)}</span>
          {item.priority !== 'medium' && (
            <span className={item.priority === 'high' ? 'tag bad' : 'tag'}>{words.priorityOf(wordOf(words.priorities, item.priority))}</span>
          )}
        </span>
        <Actions item={item} edit={edit} />
      </div>
      <h2 className="sheet-title break">{pick(item.title)}</h2>
      <p className="preview-body soft">{pick(item.body)}</p>
      <dl className="footnotes">
        <div>
          <dt>{words.audience}</dt>
          <dd>{audience}</dd>
        </div>
        <div>
          <dt>{item.published_at ? words.published : text.common.created}</dt>
          <dd>{format.dateTime(item.published_at ?? item.created_at)}</dd>
        </div>
        {item.expires_at && (
          <div>
            <dt>{words.expires}</dt>
            <dd>{format.dateTime(item.expires_at)}</dd>
          </div>
        )}
      </dl>
    </li>
  )
}

function Actions({ item, edit }: { item: Announcement; edit: () => void }) {
  const text = useText()
  const words = text.announcements
  const sentence = useSentence()
  const { modal, message } = Feedback.useApp()
  const mayWrite = useCan('announcements:write')
  const move = useMoveAnnouncement()
  if (!mayWrite) return null
  const ask = (action: AnnouncementAction) => {
    const say = {
      publish: { title: words.publishTitle, content: words.publishHint, okText: words.publish, done: words.publishedDone },
      withdraw: { title: words.withdrawTitle, content: words.withdrawHint, okText: words.withdraw, done: words.withdrawn },
      delete: { title: words.removeTitle, content: words.removeHint, okText: words.remove, done: words.removed },
    }[action]
    void modal.confirm({
      ...say,
      cancelText: text.common.cancel,
      okButtonProps: { danger: action !== 'publish' },
      onOk: async () => {
        try {
          await move.mutateAsync({ id: item.id, action })
          message.success(say.done)
        } catch (cause) {
          message.error(sentence(cause))
        }
      },
    })
  }
  if (item.state === 'draft') {
    return (
      <span className="row">
        <Button size="small" type="primary" onClick={() => ask('publish')}>
          {words.publish}
        </Button>
        <Button size="small" onClick={edit}>
          {text.apps.edit}
        </Button>
        <Button size="small" danger onClick={() => ask('delete')}>
          {words.remove}
        </Button>
      </span>
    )
  }
  if (item.state !== 'published') return null
  return (
    <Button size="small" danger onClick={() => ask('withdraw')}>
      {words.withdraw}
    </Button>
  )
}
