import { EditOutlined } from '../../parts/icons'
import { App as Feedback, Button } from 'antd'
import { useState } from 'react'
import { Link } from 'react-router'
import { useChangeApp, type App } from '../../api/apps'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useCan } from '../../parts/can'
import { Copyable } from '../../parts/copy'
import { useSentence } from '../../parts/state'
import { Tag } from '../../parts/tags'
import { CardBars } from '../dashboard/card_bars'
import { AppForm } from './app_form'

/** What the client needs of the app: UUID and public keys; and how the app fares. */
export function Overview({ app }: { app: App }) {
  const text = useText()
  return (
    <div className="grid two">
      <div className="stack">
        <section className="sheet pad stack tight">
          <h2>{text.apps.uuid}</h2>
          <p className="soft small">{text.apps.uuidHint}</p>
          <div className="pinned">
            <Copyable value={app.id} what={text.apps.uuid} />
          </div>
        </section>
        <PublicKeys keys={app.keys} />
      </div>
      <Basics app={app} />
    </div>
  )
}

function PublicKeys({ keys }: { keys: App['keys'] }) {
  const text = useText()
  return (
    <section className="sheet pad stack tight">
      <h2>{text.apps.publicKeys}</h2>
      <p className="soft small">{text.apps.publicKeysHint}</p>
      {keys.map((key) => (
        <div className="pinned" key={key.kid}>
          <div className="row spread">
            <Tag state={key.state} words={text.apps.keyState} />
            <span className="faint small">
              {text.apps.kid} <code>{key.kid}</code>
            </span>
          </div>
          <Copyable value={key.public_key} what={text.apps.publicKey} />
        </div>
      ))}
    </section>
  )
}

function Basics({ app }: { app: App }) {
  const text = useText()
  const format = useFormat()
  const mayWrite = useCan('apps:write')
  const [editing, setEditing] = useState(false)
  return (
    <section className="sheet pad stack">
      <div className="row spread">
        <h2 className="sheet-title">{text.apps.basics}</h2>
        {mayWrite && (
          <div className="row">
            <Button icon={<EditOutlined />} onClick={() => setEditing(true)}>
              {text.apps.edit}
            </Button>
            <StateSwitch app={app} />
          </div>
        )}
      </div>
      <dl className="facts">
        <dt>{text.common.inLanguage(text.apps.name, text.common.chinese)}</dt>
        <dd>{app.name.zh || text.common.none}</dd>
        <dt>{text.common.inLanguage(text.apps.name, text.common.english)}</dt>
        <dd>{app.name.en || text.common.none}</dd>
        <dt>{text.common.state}</dt>
        <dd>
          <Tag state={app.state} words={{ enabled: text.apps.enabled, disabled: text.apps.disabled }} />
        </dd>
        <dt>{text.common.created}</dt>
        <dd>{format.dateTime(app.created_at)}</dd>
        <dt>{text.devices.title}</dt>
        <dd>
          <Link to={`/devices?app=${app.id}`}>{text.apps.onlineOf(format.number(app.devices.online))}</Link>
          <span className="faint"> · {text.dashboard.onlineOf(format.number(app.devices.bound))}</span>
        </dd>
      </dl>
      <h2 className="sheet-title">{text.dashboard.cardStates}</h2>
      <div>
        <CardBars cards={app.cards} appId={app.id} />
      </div>
      <AppForm open={editing} close={() => setEditing(false)} app={app} />
    </section>
  )
}

function StateSwitch({ app }: { app: App }) {
  const text = useText()
  const sentence = useSentence()
  const { message, modal } = Feedback.useApp()
  const change = useChangeApp(app.id)
  const set = async (state: App['state']) => {
    try {
      await change.mutateAsync({ state })
      message.success(text.apps.stateChanged)
    } catch (cause) {
      message.error(sentence(cause))
    }
  }
  if (app.state === 'disabled') {
    return (
      <Button type="primary" loading={change.isPending} onClick={() => void set('enabled')}>
        {text.apps.enable}
      </Button>
    )
  }
  const disable = () =>
    void modal.confirm({
      title: text.apps.disableTitle,
      content: text.apps.disableHint,
      okText: text.apps.disable,
      cancelText: text.common.cancel,
      okButtonProps: { danger: true },
      onOk: () => set('disabled'),
    })
  return (
    <Button danger loading={change.isPending} onClick={disable}>
      {text.apps.disable}
    </Button>
  )
}
