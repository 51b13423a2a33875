import { Form, Radio } from 'antd'
import { useText } from '../../i18n/text'

interface ArrivalProps {
  copied: boolean
  choose: (copied: boolean) => void
}

/** How a sealed file came here: it was moved, or it is a copy whose original goes on. */
export function Arrival({ copied, choose }: ArrivalProps) {
  const words = useText().sealed
  const choices = [
    { value: false, title: words.moved, hint: words.movedHint },
    { value: true, title: words.copied, hint: words.copiedHint },
  ]
  return (
    <Form.Item label={words.arrival} className="arrival">
      <Radio.Group value={copied} onChange={(event) => choose(event.target.value as boolean)} aria-label={words.arrival}>
        {choices.map(({ value, title, hint }) => (
          <Radio key={title} value={value}>
            {title}
            <small className="faint">{hint}</small>
          </Radio>
        ))}
      </Radio.Group>
    </Form.Item>
  )
}
