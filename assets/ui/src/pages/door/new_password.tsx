import { CheckCircleFilled, MinusCircleOutlined } from '../../parts/icons'
import { Form, Input } from 'antd'
import { useText } from '../../i18n/text'
import { isStrong, judgePassword, passwordRules } from '../../parts/password_rules'
import { StrengthMeter } from './strength_meter'

interface NewPasswordProps {
  /** The account's user name and e-mail address, which the password must not contain. */
  names: string[]
  /** The field of the same form that holds the present password, from which the new one must differ. */
  present?: string
}

/** The fields `new_password` and `again` of a form, and the strength and the rules, which are judged while one types. */
export function NewPassword({ names, present }: NewPasswordProps) {
  const text = useText()
  const form = Form.useFormInstance()
  const next = (Form.useWatch('new_password', form) as string | undefined) ?? ''
  const judgeNext = (_: unknown, value: string | undefined) => {
    if (!value) return Promise.reject(new Error(text.password.needNext))
    if (!isStrong(value, names)) return Promise.reject(new Error(text.password.tooWeak))
    if (present && value === form.getFieldValue(present)) return Promise.reject(new Error(text.password.same))
    return Promise.resolve()
  }
  const judgeAgain = (_: unknown, value: string | undefined) =>
    value === form.getFieldValue('new_password') ? Promise.resolve() : Promise.reject(new Error(text.password.mismatch))
  return (
    <>
      <Form.Item name="new_password" label={text.password.next} rules={[{ validator: judgeNext }]} validateTrigger={[]}>
        <Input.Password autoComplete="new-password" aria-describedby="password-rules password-strength" />
      </Form.Item>
      <StrengthMeter password={next} names={names} id="password-strength" />
      <Rules password={next} names={names} />
      <Form.Item name="again" label={text.password.again} rules={[{ validator: judgeAgain }]}>
        <Input.Password autoComplete="new-password" />
      </Form.Item>
    </>
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
