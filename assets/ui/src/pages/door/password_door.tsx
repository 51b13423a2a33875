import { App, Button } from 'antd'
import { useEffect, useRef } from 'react'
import { useNavigate } from 'react-router'
import { session } from '../../api/session'
import { useText } from '../../i18n/text'
import { useUser } from '../../parts/can'
import { Door } from './door'
import { PasswordForm } from './password_form'

/** The one thing that the first account can do until it has a password of its own. */
export function PasswordDoor() {
  const text = useText()
  const user = useUser()
  const navigate = useNavigate()
  const { message } = App.useApp()
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus(), [])
  return (
    <Door>
      <h1 ref={heading} tabIndex={-1}>
        {text.password.forcedTitle}
      </h1>
      <p>{text.password.forcedHint}</p>
      <PasswordForm
        user={user}
        size="large"
        submitText={text.password.forcedSubmit}
        done={() => {
          message.success(text.password.changed)
          void navigate('/start')
        }}
      />
      <p className="door-foot">
        <Button type="link" onClick={() => void session.signOut().catch(() => undefined)}>
          {text.menu.signOut}
        </Button>
      </p>
    </Door>
  )
}
