import { Button, Drawer } from 'antd'
import { useState } from 'react'
import { Link } from 'react-router'
import { useCard, type CardAction, type CardDetail } from '../../api/cards'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useAppNames } from '../../parts/app_names'
import { useCan } from '../../parts/can'
import { Copyable } from '../../parts/copy'
import { Happenings } from '../../parts/happenings'
import { Loaded } from '../../parts/state'
import { CardState } from '../../parts/tags'
import { validityText } from '../../parts/validity'
import { DeviceLine } from '../devices/device_line'
import { ChangeCards } from './change_cards'

/** All about one card key: state, devices and history. Open while an id is given. */
export function CardDrawer({ id, close }: { id: string; close: () => void }) {
  const text = useText()
  return (
    <Drawer open={id !== ''} onClose={close} size={520} title={text.keys.detailTitle} closable={{ 'aria-label': text.common.close }} destroyOnHidden>
      {id !== '' && <Detail id={id} />}
    </Drawer>
  )
}

function Detail({ id }: { id: string }) {
  const query = useCard(id)
  return <Loaded query={query}>{(card) => <Card card={card} />}</Loaded>
}

function Card({ card }: { card: CardDetail }) {
  const text = useText()
  const words = text.keys
  return (
    <div className="stack loose">
      <div className="row spread">
        <strong className="big-key">
          <Copyable value={card.key} what={words.key} />
        </strong>
        <CardState state={card.state} />
      </div>
      <Actions card={card} />
      <Facts card={card} />
      <section>
        <h2 className="sheet-title gap">{words.bindings}</h2>
        {card.bindings.length === 0 ? (
          <p className="soft">{words.noBindings}</p>
        ) : (
          <ul className="stack tight">
            {card.bindings.map((device) => (
              <DeviceLine key={device.id} device={device} />
            ))}
          </ul>
        )}
      </section>
      <section>
        <h2 className="sheet-title">{words.history}</h2>
        {card.history.length === 0 ? <p className="soft">{words.noHistory}</p> : <Happenings events={[...card.history].reverse()} />}
      </section>
    </div>
  )
}

function Facts({ card }: { card: CardDetail }) {
  const text = useText()
  const words = text.keys
  const format = useFormat()
  const { nameOf } = useAppNames()
  const rows: [string, React.ReactNode][] = [
    [words.app, <Link key="app" to={`/apps/${card.app_id}`}>{nameOf(card.app_id)}</Link>],
    [words.batch, card.batch_name],
    [words.validity, validityText(card.validity, text.validity, format)],
    [words.activated, format.dateTime(card.activated_at)],
    [words.ends, card.validity.kind === 'permanent' ? words.never : format.dateTime(card.ends_at)],
    [words.devices, words.seats(card.bound, card.devices)],
    [words.account, card.account?.username ?? text.common.none],
    [words.note, card.note || text.common.none],
    [text.common.created, format.dateTime(card.created_at)],
  ]
  if (card.tier) rows.push([words.tier, card.tier])
  if (card.features.length > 0) rows.push([words.features, card.features.join(', ')])
  return (
    <dl className="facts">
      {rows.map(([name, value]) => (
        <div className="fact" key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

function Actions({ card }: { card: CardDetail }) {
  const text = useText()
  const mayWrite = useCan('cards:write')
  const [action, setAction] = useState<CardAction>()
  if (!mayWrite || card.state === 'deleted') return null
  return (
    <div className="row">
      {card.state === 'disabled' ? (
        <Button type="primary" onClick={() => setAction('enable')}>
          {text.keys.enable}
        </Button>
      ) : (
        <Button onClick={() => setAction('disable')}>{text.keys.disable}</Button>
      )}
      <Button danger onClick={() => setAction('delete')}>
        {text.keys.delete}
      </Button>
      <ChangeCards cards={[card]} action={action} close={() => setAction(undefined)} />
    </div>
  )
}
