import { Button, Form, Input } from 'antd'
import { useEffect, useRef, useState, type ReactNode } from 'react'
import { unseal } from '../../api/standing'
import { useText } from '../../i18n/text'
import { showFaults } from '../../parts/faults'
import { FormFault } from '../../parts/state'
import { Door } from './door'
import { NewPassword } from './new_password'

interface Fields {
  recovery_code: string
  username: string
  new_password: string
  again: string
}

interface RecoveryDoorProps {
  /** How the file came here, and what was answered so far. */
  question: ReactNode
  copied: boolean
  back: () => void
  /** The file is open, and the owner has the new password. */
  done: () => void
}

/** The way in for an owner who has the recovery code instead of the password. */
export default function RecoveryDoor({ question, copied, back, done }: RecoveryDoorProps) {
  const text = useText()
  const words = text.recovery
  const [form] = Form.useForm<Fields>()
  const [busy, setBusy] = useState(false)
  const [cause, setCause] = useState<unknown>()
  const username = Form.useWatch('username', form) ?? ''
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus(), [])

  const submit = async (fields: Fields) => {
    setBusy(true)
    setCause(undefined)
    try {
      await unseal(fields.recovery_code.trim(), fields.username.trim(), fields.new_password, copied)
      done()
    } catch (refusal) {
      setCause(showFaults(form, ['recovery_code', 'username', 'new_password'], refusal, { password: 'new_password', code: 'recovery_code' }))
    } finally {
      setBusy(false)
    }
  }

  return (
    <Door>
      <h1 ref={heading} tabIndex={-1}>
        {words.title}
      </h1>
      <p>{words.hint}</p>
      <Form form={form} layout="vertical" onFinish={submit} disabled={busy} size="large" validateTrigger="onBlur">
        <FormFault cause={cause} />
        <Form.Item name="recovery_code" label={words.code} extra={words.codeHint} rules={[{ required: true, whitespace: true, message: words.needCode }]}>
          <Input className="mono" autoComplete="off" autoCapitalize="characters" spellCheck={false} maxLength={200} />
        </Form.Item>
        <Form.Item name="username" label={words.username} rules={[{ required: true, whitespace: true, message: text.signIn.needUsername }]}>
          <Input autoComplete="username" autoCapitalize="none" spellCheck={false} maxLength={254} />
        </Form.Item>
        <NewPassword names={[username]} />
        {question}
        <Button type="primary" htmlType="submit" block loading={busy}>
          {words.submit}
        </Button>
      </Form>
      <p className="door-foot">
        <Button type="link" onClick={back}>
          {words.back}
        </Button>
      </p>
    </Door>
  )
}
