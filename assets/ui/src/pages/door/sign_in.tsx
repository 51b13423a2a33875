import { Alert, Button, Form, Input } from 'antd'
import { useEffect, useState } from 'react'
import { session } from '../../api/session'
import { useText } from '../../i18n/text'
import { showFaults } from '../../parts/faults'
import { FormFault } from '../../parts/state'
import { Door } from './door'

interface Fields {
  username: string
  password: string
}

export function SignIn({ ended }: { ended: boolean }) {
  const text = useText()
  const [form] = Form.useForm<Fields>()
  const [busy, setBusy] = useState(false)
  const [cause, setCause] = useState<unknown>()

  // A refused password is typed anew; the field takes the focus once it is enabled again.
  useEffect(() => {
    if (cause && !busy) form.focusField('password')
  }, [cause, busy, form])

  const submit = async ({ username, password }: Fields) => {
    setBusy(true)
    setCause(undefined)
    try {
      await session.signIn(username.trim(), password)
    } catch (refusal) {
      setCause(showFaults(form, ['username', 'password'], refusal))
      form.setFieldValue('password', '')
    } finally {
      setBusy(false)
    }
  }

  return (
    <Door>
      <h1>{text.signIn.title}</h1>
      <p>{text.signIn.hint}</p>
      <Form form={form} layout="vertical" onFinish={submit} disabled={busy} size="large">
        {ended && !cause && <Alert className="form-fault" type="info" showIcon title={text.signIn.ended} />}
        <FormFault cause={cause} />
        <Form.Item name="username" label={text.signIn.username} rules={[{ required: true, whitespace: true, message: text.signIn.needUsername }]}>
          <Input autoComplete="username" autoCapitalize="none" spellCheck={false} autoFocus maxLength={254} />
        </Form.Item>
        <Form.Item name="password" label={text.signIn.password} rules={[{ required: true, message: text.signIn.needPassword }]}>
          <Input.Password autoComplete="current-password" />
        </Form.Item>
        <Button type="primary" htmlType="submit" block loading={busy}>
          {text.signIn.submit}
        </Button>
      </Form>
    </Door>
  )
}
