import { App as Feedback, Button, Form, InputNumber, Select } from 'antd'
import { useState } from 'react'
import { useChangeApp, type App, type Policy } from '../../api/apps'
import { useText } from '../../i18n/text'
import { useCan } from '../../parts/can'
import { showFaults } from '../../parts/faults'
import { FormFault } from '../../parts/state'

const names = ['device_tolerance', 'grace_days', 'heartbeat_seconds', 'device_key']

/** The app's licence policy. */
export function PolicyForm({ app }: { app: App }) {
  const text = useText()
  const words = text.apps
  const { message } = Feedback.useApp()
  const [form] = Form.useForm<Policy>()
  const [cause, setCause] = useState<unknown>()
  const [touched, setTouched] = useState(false)
  const change = useChangeApp(app.id)
  const mayWrite = useCan('apps:write')

  const submit = async (policy: Policy) => {
    setCause(undefined)
    try {
      await change.mutateAsync({ policy })
      setTouched(false)
      message.success(text.common.saved)
    } catch (refusal) {
      setCause(showFaults(form, names, refusal))
    }
  }
  const range = (low: number, high: number) => [
    { required: true, type: 'integer' as const, min: low, max: high, message: words.outOfRange(low, high) },
  ]
  const choices = (of: Record<string, string>) => Object.entries(of).map(([value, label]) => ({ value, label }))

  return (
    <section className="sheet pad narrow">
      <p className="soft form-fault">{words.policyIntro}</p>
      <Form
        form={form}
        layout="vertical"
       
        disabled={!mayWrite || change.isPending}
        initialValues={app.policy}
        onValuesChange={() => setTouched(true)}
        onFinish={submit}
      >
        <FormFault cause={cause} />
        <Form.Item name="device_tolerance" label={words.tolerance} extra={words.toleranceHint}>
          <Select options={choices(words.toleranceOf)} />
        </Form.Item>
        <Form.Item name="grace_days" label={words.grace} extra={words.graceHint} rules={range(0, 90)}>
          <InputNumber className="number" precision={0} suffix={words.graceUnit} />
        </Form.Item>
        <Form.Item name="heartbeat_seconds" label={words.heartbeat} extra={words.heartbeatHint} rules={range(30, 3600)}>
          <InputNumber className="number" precision={0} suffix={words.heartbeatUnit} />
        </Form.Item>
        <Form.Item name="device_key" label={words.deviceKey} extra={words.deviceKeyHint}>
          <Select options={choices(words.deviceKeyOf)} />
        </Form.Item>
        {mayWrite && (
          <div className="row">
            <Button type="primary" htmlType="submit" loading={change.isPending} disabled={!touched}>
              {text.common.save}
            </Button>
            {touched && <span className="faint small">{text.common.unsaved}</span>}
          </div>
        )}
      </Form>
    </section>
  )
}
