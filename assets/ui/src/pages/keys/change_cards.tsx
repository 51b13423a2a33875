import { App as Feedback, Form, Input, Modal } from 'antd'
import { useState } from 'react'
import { useChangeCards, type Card, type CardAction, type CardChange } from '../../api/cards'
import { useText } from '../../i18n/text'
import { showFaults } from '../../parts/faults'
import { FormFault } from '../../parts/state'

interface ChangeCardsProps {
  cards: Pick<Card, 'id' | 'key'>[]
  /** What to do; undefined while nothing is asked. */
  action: CardAction | undefined
  close: () => void
  done?: () => void
}

/** Asks for a reason, changes the card keys, and tells of those that were refused. */
export function ChangeCards({ cards, action, close, done }: ChangeCardsProps) {
  const text = useText()
  const words = text.keys
  const [form] = Form.useForm<{ reason?: string }>()
  const [cause, setCause] = useState<unknown>()
  const change = useChangeCards()
  // The words stay while the window closes.
  const [shown, setShown] = useState<CardAction>('disable')
  if (action && action !== shown) setShown(action)

  const tell = useTell(cards)

  const submit = async ({ reason }: { reason?: string }) => {
    if (!action) return
    setCause(undefined)
    try {
      const outcome = await change.mutateAsync({ action, ids: cards.map((card) => card.id), reason: reason?.trim() })
      close()
      done?.()
      tell(outcome)
    } catch (refusal) {
      setCause(showFaults(form, ['reason'], refusal))
    }
  }

  return (
    <Modal
      open={action !== undefined}
      title={words.confirm[shown](cards.length)}
      okText={words[shown]}
      cancelText={text.common.cancel}
      okButtonProps={{ danger: shown !== 'enable' }}
      confirmLoading={change.isPending}
      onOk={form.submit}
      onCancel={close}
      afterClose={() => setCause(undefined)}
      destroyOnHidden
    >
      <p className="soft form-fault">{words.confirmHint[shown]}</p>
      <Form form={form} layout="vertical" onFinish={submit} preserve={false}>
        <FormFault cause={cause} />
        <Form.Item name="reason" label={text.common.optional(words.reason)} extra={words.reasonHint} rules={[{ max: 200, message: text.generate.tooLong(200) }]}>
          <Input autoComplete="off" autoFocus />
        </Form.Item>
      </Form>
    </Modal>
  )
}

/** Says what came of a change; those that were refused are listed with the server's reasons. */
function useTell(cards: ChangeCardsProps['cards']): (outcome: CardChange) => void {
  const text = useText()
  const words = text.keys
  const { message, modal } = Feedback.useApp()
  return (outcome) => {
    if (outcome.failed.length === 0) {
      message.success(words.changed(outcome.changed))
      return
    }
    const keys = new Map(cards.map((card) => [card.id, card.key]))
    void modal.warning({
      title: words.partly,
      width: 560,
      content: (
        <>
          <p>{words.partlyHint(outcome.changed, outcome.failed.length)}</p>
          <ul className="refusals">
            {outcome.failed.map((row) => (
              <li key={row.id}>
                <code>{keys.get(row.id) ?? row.id}</code> {row.message}
              </li>
            ))}
          </ul>
        </>
      ),
      okText: text.common.close,
    })
  }
}
