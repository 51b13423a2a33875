import { App as Feedback, Button, Checkbox, Form, Modal, Select } from 'antd'
import { useState } from 'react'
import { useCards } from '../../api/cards'
import { useDecideReceipt, type Receipt } from '../../api/receipts'
import { Fault } from '../../api/wire'
import { useText } from '../../i18n/text'
import { showFaults } from '../../parts/faults'
import { FormFault } from '../../parts/state'

interface Fields {
  card_id?: string
  replace?: boolean
}

/** Takes up a device's licence. Open while a receipt is given. */
export function Adopt({ receipt, close }: { receipt: Receipt | undefined; close: () => void }) {
  const text = useText()
  return (
    <Modal
      open={receipt !== undefined}
      onCancel={close}
      title={text.receipts.adoptTitle}
      footer={null}
      closable={{ 'aria-label': text.common.close }}
      destroyOnHidden
    >
      {receipt && <AdoptForm receipt={receipt} close={close} />}
    </Modal>
  )
}

function AdoptForm({ receipt, close }: { receipt: Receipt; close: () => void }) {
  const text = useText()
  const words = text.receipts
  const { message } = Feedback.useApp()
  const [form] = Form.useForm<Fields>()
  const [cause, setCause] = useState<unknown>()
  const decide = useDecideReceipt()
  const full = receipt.code === 'receipt_seat' || (cause instanceof Fault && ['device_limit', 'receipt_machine'].includes(cause.code))
  const submit = async ({ card_id = '', replace = false }: Fields) => {
    setCause(undefined)
    try {
      await decide.mutateAsync({ id: receipt.id, decision: 'adopt', card_id, replace })
      message.success(words.adopted)
      close()
    } catch (refusal) {
      setCause(showFaults(form, ['card_id', 'replace'], refusal))
    }
  }
  return (
    <Form form={form} layout="vertical" onFinish={submit} disabled={decide.isPending}>
      <p className="soft form-fault">{words.adoptHint}</p>
      <FormFault cause={cause} />
      {receipt.card_id === '' && <Stand appId={receipt.app_id} />}
      {full && (
        <Form.Item name="replace" valuePropName="checked" extra={words.replaceHint}>
          <Checkbox>{words.replace}</Checkbox>
        </Form.Item>
      )}
      <div className="row end">
        <Button onClick={close}>{text.common.cancel}</Button>
        <Button type="primary" htmlType="submit" loading={decide.isPending}>
          {words.adopt}
        </Button>
      </div>
    </Form>
  )
}

/** The choice of an unused card key in the place of one that the file does not know. */
function Stand({ appId }: { appId: string }) {
  const words = useText().receipts
  const unused = useCards({ app_id: appId, state: 'unused', limit: 50 })
  const items = unused.data?.items ?? []
  return (
    <Form.Item name="card_id" label={words.stand} extra={words.standHint} rules={[{ required: true, message: words.needStand }]}>
      <Select
        loading={unused.isPending}
        placeholder={unused.data && items.length === 0 ? words.noStand : undefined}
        options={items.map((card) => ({ value: card.id, label: card.key }))}
        showSearch={{ optionFilterProp: 'label' }}
      />
    </Form.Item>
  )
}
