import { App as Feedback, Button, Form, Input, InputNumber, Modal, Switch, TimePicker } from 'antd'
import { useState } from 'react'
import { useSetPlan, type BackupPlan } from '../../api/backups'
import { useText } from '../../i18n/text'
import { showFaults } from '../../parts/faults'
import { FormFault } from '../../parts/state'
import { fieldsOf, leastGb, mostGb, planOf, type PlanFields } from './plan_values'

const names = ['enabled', 'at', 'keep_days', 'second_folder', 'cap_gb']

/** Changes the plan of automatic backups. */
export function PlanForm({ plan, open, close }: { plan: BackupPlan; open: boolean; close: () => void }) {
  const text = useText()
  return (
    <Modal
      open={open}
      onCancel={close}
      title={text.backups.form.title}
      footer={null}
      closable={{ 'aria-label': text.common.close }}
      mask={{ closable: false }}
      destroyOnHidden
    >
      <Fields plan={plan} close={close} />
    </Modal>
  )
}

function Fields({ plan, close }: { plan: BackupPlan; close: () => void }) {
  const text = useText()
  const words = text.backups.form
  const { message } = Feedback.useApp()
  const [form] = Form.useForm<PlanFields>()
  const [cause, setCause] = useState<unknown>()
  const set = useSetPlan()
  const enabled = Form.useWatch('enabled', form) ?? plan.enabled
  const submit = async () => {
    setCause(undefined)
    try {
      // All fields, also those that are not shown while backups are off.
      await set.mutateAsync(planOf(form.getFieldsValue(true) as PlanFields))
      message.success(words.saved)
      close()
    } catch (refusal) {
      setCause(showFaults(form, names, refusal, { cap_bytes: 'cap_gb' }))
    }
  }
  return (
    <Form form={form} layout="vertical" initialValues={fieldsOf(plan)} onFinish={submit} disabled={set.isPending} scrollToFirstError={{ focus: true }}>
      <FormFault cause={cause} />
      <Form.Item name="enabled" label={words.enabled} valuePropName="checked" extra={enabled ? undefined : text.backups.planOffHint}>
        <Switch />
      </Form.Item>
      <div className="form-grid">
        <Form.Item name="at" label={words.at} extra={words.atHint} rules={[{ required: true, message: words.needAt }]} hidden={!enabled}>
          <TimePicker className="number full" format="HH:mm" needConfirm={false} allowClear={false} />
        </Form.Item>
        <Form.Item
          name="keep_days"
          label={words.keepDays}
          extra={words.keepDaysHint}
          rules={[{ required: true, type: 'integer', min: 1, max: 3650, message: words.keepDaysBad }]}
        >
          <InputNumber className="number full" inputMode="numeric" />
        </Form.Item>
      </div>
      <Form.Item name="second_folder" label={text.common.optional(words.second)} extra={words.secondHint}>
        <Input autoComplete="off" spellCheck={false} maxLength={1024} />
      </Form.Item>
      <Form.Item
        name="cap_gb"
        label={text.common.optional(words.cap)}
        extra={words.capHint}
        rules={[{ type: 'number', min: leastGb, max: mostGb, message: words.capBad }]}
      >
        <InputNumber className="number" inputMode="decimal" />
      </Form.Item>
      <div className="row end">
        <Button onClick={close}>{text.common.cancel}</Button>
        <Button type="primary" htmlType="submit" loading={set.isPending}>
          {text.common.save}
        </Button>
      </div>
    </Form>
  )
}
