import { Link } from 'react-router'
import type { CardCounts } from '../../api/apps'
import { cardStates } from '../../api/cards'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'

const colours: Record<(typeof cardStates)[number], string> = {
  unused: '#f2a25c',
  active: '#3aa865',
  expired: '#d9b23c',
  disabled: '#cf5a4e',
  deleted: '#b9bec6',
}

/** Card keys by state: one bar in parts, and the numbers. */
export function CardBars({ cards, appId }: { cards: CardCounts; appId?: string }) {
  const app = appId ? `&app=${appId}` : ''
  const text = useText()
  const { number } = useFormat()
  return (
    <>
      <div className="bar-parts" aria-hidden="true">
        {cardStates
          .filter((state) => cards[state] > 0)
          .map((state) => (
            <span key={state} style={{ flexGrow: cards[state], background: colours[state] }} />
          ))}
      </div>
      <ul className="legend">
        {cardStates.map((state) => (
          <li key={state}>
            <i style={{ background: colours[state] }} aria-hidden="true" />
            <Link to={`/keys?state=${state}${app}`}>{text.keys.states[state]}</Link>
            <b>{number(cards[state])}</b>
          </li>
        ))}
      </ul>
    </>
  )
}
