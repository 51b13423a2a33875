import { Button, Form, Input } from 'antd'
import { useState } from 'react'
import { session, type User } from '../../api/session'
import { useText } from '../../i18n/text'
import { showFaults } from '../../parts/faults'
import { FormFault } from '../../parts/state'
import { NewPassword } from './new_password'

interface Fields {
  old_password: string
  new_password: string
  again: string
}

interface PasswordFormProps {
  user: User
  submitText: string
  done: () => void
  size?: 'large' | 'middle'
}

/** The change of one's own password. The rules are judged while one types, by the server in the end. */
export function PasswordForm({ user, submitText, done, size = 'middle' }: PasswordFormProps) {
  const text = useText()
  const [form] = Form.useForm<Fields>()
  const [busy, setBusy] = useState(false)
  const [cause, setCause] = useState<unknown>()

  const submit = async (fields: Fields) => {
    setBusy(true)
    setCause(undefined)
    try {
      await session.changePassword(fields.old_password, fields.new_password)
      form.resetFields()
      done()
    } catch (refusal) {
      setCause(showFaults(form, ['old_password', 'new_password'], refusal, { password: 'new_password' }))
    } finally {
      setBusy(false)
    }
  }

  return (
    <Form form={form} layout="vertical" onFinish={submit} disabled={busy} size={size} validateTrigger="onBlur">
      <FormFault cause={cause} />
      <input className="visually-hidden" type="text" name="username" autoComplete="username" defaultValue={user.username} tabIndex={-1} aria-hidden="true" readOnly />
      <Form.Item name="old_password" label={text.password.old} rules={[{ required: true, message: text.password.needOld }]}>
        <Input.Password autoComplete="current-password" />
      </Form.Item>
      <NewPassword names={[user.username, user.email]} present="old_password" />
      <Button type="primary" htmlType="submit" block={size === 'large'} loading={busy}>
        {submitText}
      </Button>
    </Form>
  )
}
