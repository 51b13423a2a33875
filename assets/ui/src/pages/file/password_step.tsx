import { Button, Form, Input } from 'antd'
import { useState } from 'react'
import { useText } from '../../i18n/text'
import { showFaults } from '../../parts/faults'
import { FormFault } from '../../parts/state'

interface PasswordStepProps {
  hint: string
  submitText: string
  /** Does it with the password; what it throws is shown at the field or above it. */
  submit: (password: string) => Promise<void>
  danger?: boolean
}

/** Asks for one's own password before a grave step. */
export function PasswordStep({ hint, submitText, submit, danger }: PasswordStepProps) {
  const text = useText()
  const words = text.keyring
  const [form] = Form.useForm<{ password: string }>()
  const [busy, setBusy] = useState(false)
  const [cause, setCause] = useState<unknown>()
  const send = async ({ password }: { password: string }) => {
    setBusy(true)
    setCause(undefined)
    try {
      await submit(password)
    } catch (refusal) {
      form.setFieldValue('password', '') // it is typed anew; to set it takes a field's faults away
      setCause(showFaults(form, ['password'], refusal))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Form form={form} layout="vertical" onFinish={send} disabled={busy}>
      <p className="soft form-fault">{hint}</p>
      <FormFault cause={cause} />
      <Form.Item name="password" label={words.password} rules={[{ required: true, message: words.needPassword }]}>
        <Input.Password autoComplete="current-password" autoFocus />
      </Form.Item>
      <div className="row end">
        <Button type="primary" danger={danger} htmlType="submit" loading={busy}>
          {submitText}
        </Button>
      </div>
    </Form>
  )
}
