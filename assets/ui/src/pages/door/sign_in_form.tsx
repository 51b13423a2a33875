import { Button, Form, Input } from 'antd'
import { useEffect, useState, type ReactNode } from 'react'
import { session } from '../../api/session'
import { useText } from '../../i18n/text'
import { showFaults } from '../../parts/faults'
import { FormFault } from '../../parts/state'

interface Fields {
  username: string
  password: string
}

interface SignInFormProps {
  submitText: string
  /** What stands above the fields until the server refuses something. */
  word?: ReactNode
  /** What is asked besides, below the fields. */
  question?: ReactNode
  /** The file is a copy: its original goes on. */
  copied?: boolean
  done?: () => void
}

/** User name and password. Who is let in by them is in the session then. */
export function SignInForm({ submitText, word, question, copied, done }: SignInFormProps) {
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
      await session.signIn(username.trim(), password, copied)
      done?.()
    } catch (refusal) {
      setCause(showFaults(form, ['username', 'password'], refusal))
      form.setFieldValue('password', '')
    } finally {
      setBusy(false)
    }
  }

  return (
    <Form form={form} layout="vertical" onFinish={submit} disabled={busy} size="large">
      {!cause && word}
      <FormFault cause={cause} />
      <Form.Item name="username" label={text.signIn.username} rules={[{ required: true, whitespace: true, message: text.signIn.needUsername }]}>
        <Input autoComplete="username" autoCapitalize="none" spellCheck={false} autoFocus maxLength={254} />
      </Form.Item>
      <Form.Item name="password" label={text.signIn.password} rules={[{ required: true, message: text.signIn.needPassword }]}>
        <Input.Password autoComplete="current-password" />
      </Form.Item>
      {question}
      <Button type="primary" htmlType="submit" block loading={busy}>
        {submitText}
      </Button>
    </Form>
  )
}
