import { useKeyring, type Keyring, type Slot } from '../../api/keyring'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { Listing, type Column } from '../../parts/listing'
import { Loaded, Nothing } from '../../parts/state'
import { Recovery } from './recovery'
import { Rotate } from './rotate'

/** What opens the file, the recovery code, and the change of the data key. */
export function KeyringSheets() {
  return (
    <Loaded query={useKeyring()} waiting={<div className="sheet skeleton" />}>
      {(keyring) => (
        <>
          <Slots keyring={keyring} />
          <Recovery keyring={keyring} />
          <Rotate keyring={keyring} />
        </>
      )}
    </Loaded>
  )
}

/** A slot as a row. */
type Row = Omit<Slot, 'id'> & { id: string }

const order: Slot['kind'][] = ['machine', 'password', 'recovery']

function Slots({ keyring }: { keyring: Keyring }) {
  const text = useText()
  const words = text.keyring
  const columns = useColumns()
  const slots = keyring.slots
    .map((slot): Row => ({ ...slot, id: String(slot.id) }))
    .sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
  return (
    <section className="sheet" aria-labelledby="slots">
      <div className="list-head">
        <h2 className="sheet-title" id="slots">
          {words.sheet}
        </h2>
        <p className="soft small">{words.intro}</p>
      </div>
      {slots.length === 0 ? <Nothing small title={words.empty} /> : <Listing label={words.sheet} rows={slots} columns={columns} />}
      {slots.some((slot) => slot.kind === 'machine') && <StolenKey />}
    </section>
  )
}

/** What to do where the machine key was taken together with the file, and how to keep it better. */
function StolenKey() {
  const words = useText().keyring
  return (
    <details className="more-about small">
      <summary>{words.stolen}</summary>
      <p>{words.stolenHint}</p>
      <ol className="points">
        {words.stolenSteps.map((step) => (
          <li key={step}>{step}</li>
        ))}
      </ol>
      <p className="strong">{words.keepBetter}</p>
      <ul className="points">
        {words.keepBetterPoints.map((point) => (
          <li key={point}>{point}</li>
        ))}
      </ul>
    </details>
  )
}

function useColumns(): Column<Row>[] {
  const text = useText()
  const words = text.keyring
  const format = useFormat()
  return [
    {
      key: 'kind',
      title: words.kind,
      role: 'heading',
      render: (slot) => (
        <span className="slot">
          <span className="strong">
            {words.kinds[slot.kind]}
            {slot.username && <span className="tag slot-name">{slot.username}</span>}
          </span>
          <small className="faint">{words.kindHints[slot.kind]}</small>
        </span>
      ),
    },
    { key: 'created', title: words.created, render: (slot) => slot.created_at && format.dateTime(slot.created_at) },
    {
      key: 'used',
      title: words.used,
      render: (slot) => (slot.last_used_at ? <time title={format.dateTime(slot.last_used_at)}>{format.ago(slot.last_used_at)}</time> : words.neverUsed),
    },
  ]
}
