import type { Card } from '../../api/cards'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useAppNames } from '../../parts/app_names'
import { CopyButton } from '../../parts/copy'
import type { Column } from '../../parts/listing'
import { CardState } from '../../parts/tags'
import { validityText } from '../../parts/validity'

/** The columns of a list of card keys. */
export function useCardColumns({ open, withApp }: { open: (card: Card) => void; withApp: boolean }): Column<Card>[] {
  const text = useText()
  const format = useFormat()
  const { nameOf } = useAppNames()
  const words = text.keys
  const columns: Column<Card>[] = [
    {
      key: 'key',
      title: words.key,
      role: 'heading',
      render: (card) => (
        <span className="copyable nowrap">
          <button type="button" className="link-button mono" onClick={() => open(card)}>
            {card.key}
          </button>
          <CopyButton value={card.key} what={words.key} />
        </span>
      ),
    },
    { key: 'state', title: text.common.state, render: (card) => <CardState state={card.state} /> },
    { key: 'app', title: words.app, clip: true, render: (card) => nameOf(card.app_id) },
    { key: 'batch', title: words.batch, clip: true, render: (card) => card.batch_name },
    { key: 'validity', title: words.validity, render: (card) => validityText(card.validity, text.validity, format) },
    {
      key: 'ends',
      title: words.ends,
      render: (card) => (card.ends_at ? format.dateTime(card.ends_at) : card.validity.kind === 'permanent' && words.never),
    },
    { key: 'devices', title: words.devices, end: true, render: (card) => words.seats(card.bound, card.devices) },
    { key: 'account', title: words.account, clip: true, render: (card) => card.account?.username },
  ]
  return withApp ? columns : columns.filter((column) => column.key !== 'app')
}
