import { Button } from 'antd'
import { session } from '../../api/session'
import { useText } from '../../i18n/text'
import { Door } from './door'

/** For an account that may sign in, but has nothing to do here. */
export function NotForYou() {
  const text = useText()
  return (
    <Door>
      <h1>{text.signIn.title}</h1>
      <p role="alert">{text.signIn.notForYou}</p>
      <Button type="primary" onClick={() => void session.signOut().catch(() => undefined)}>
        {text.menu.signOut}
      </Button>
    </Door>
  )
}
