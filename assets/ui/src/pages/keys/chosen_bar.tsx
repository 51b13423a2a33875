import { App as Feedback, Button } from 'antd'
import { useState } from 'react'
import { mostAtOnce, type Card, type CardAction } from '../../api/cards'
import { useText } from '../../i18n/text'
import { ChangeCards } from './change_cards'

/** What can be done with the chosen card keys. */
export function ChosenBar({ cards, clear }: { cards: Card[]; clear: () => void }) {
  const text = useText()
  const words = text.keys
  const { message } = Feedback.useApp()
  const [action, setAction] = useState<CardAction>()
  const begin = (next: CardAction) => {
    if (cards.length > mostAtOnce) message.warning(words.tooMany(mostAtOnce))
    else setAction(next)
  }
  return (
    <div className="chosen-bar" role="region" aria-label={words.selected(cards.length)}>
      <strong role="status">{words.selected(cards.length)}</strong>
      <Button onClick={() => begin('enable')}>{words.enable}</Button>
      <Button onClick={() => begin('disable')}>{words.disable}</Button>
      <Button danger onClick={() => begin('delete')}>
        {words.delete}
      </Button>
      <Button type="text" className="on-dark" onClick={clear}>
        {words.selectNone}
      </Button>
      <ChangeCards cards={cards} action={action} close={() => setAction(undefined)} done={clear} />
    </div>
  )
}
