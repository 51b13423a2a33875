import { CheckCircleFilled, MinusCircleOutlined } from '../../parts/icons'
import { Button, Form, Input } from 'antd'
import { useState } from 'react'
import { session, type User } from '../../api/session'
import { useText } from '../../i18n/text'
import { showFaults } from '../../parts/faults'
import { isStrong, judgePassword, passwordRules } from '../../parts/password_rules'
import { FormFault } from '../../parts/state'

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
  const names = [user.username, user.email]
  const next = Form.useWatch('new_password', form) ?? ''

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

  const judgeNext = (_: unknown, value: string | undefined) => {
    if (!value) return Promise.reject(new Error(text.password.needNext))
    if (!isStrong(value, names)) return Promise.reject(new Error(text.password.tooWeak))
    if (value === form.getFieldValue('old_password')) return Promise.reject(new Error(text.password.same))
    return Promise.resolve()
  }
  const judgeAgain = (_: unknown, value: string | undefined) =>
    value === form.getFieldValue('new_password') ? Promise.resolve() : Promise.reject(new Error(text.password.mismatch))

  return (
    <Form form={form} layout="vertical" onFinish={submit} disabled={busy} size={size} validateTrigger="onBlur">
      <FormFault cause={cause} />
      <input className="visually-hidden" type="text" name="username" autoComplete="username" defaultValue={user.username} tabIndex={-1} aria-hidden="true" readOnly />
      <Form.Item name="old_password" label={text.password.old} rules={[{ required: true, message: text.password.needOld }]}>
        <Input.Password autoComplete="current-password" />
      </Form.Item>
      <Form.Item name="new_password" label={text.password.next} rules={[{ validator: judgeNext }]} validateTrigger={[]}>
        <Input.Password autoComplete="new-password" aria-describedby="password-rules" />
      </Form.Item>
      <Rules password={next} names={names} />
      <Form.Item name="again" label={text.password.again} rules={[{ validator: judgeAgain }]}>
        <Input.Password autoComplete="new-password" />
      </Form.Item>
      <Button type="primary" htmlType="submit" block={size === 'large'} loading={busy}>
        {submitText}
      </Button>
    </Form>
  )
}

function Rules({ password, names }: { password: string; names: string[] }) {
  const text = useText()
  const met = judgePassword(password, names)
  return (
    <ul className="rules" id="password-rules" aria-label={text.password.rulesLabel}>
      {passwordRules.map((rule) => (
        <li key={rule} className={met[rule] ? 'met' : undefined}>
          {met[rule] ? <CheckCircleFilled /> : <MinusCircleOutlined />}
          {text.password.rules[rule]}
          <span className="visually-hidden">{met[rule] ? text.password.met : text.password.unmet}</span>
        </li>
      ))}
    </ul>
  )
}
