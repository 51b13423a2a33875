import { App } from 'antd'
import { useText } from '../../i18n/text'
import { useUser } from '../../parts/can'
import { Page } from '../../parts/page'
import { PasswordForm } from './password_form'

export default function Password() {
  const text = useText()
  const user = useUser()
  const { message } = App.useApp()
  return (
    <Page title={text.password.title} intro={text.password.hint}>
      <div className="sheet pad narrow">
        <PasswordForm user={user} submitText={text.password.submit} done={() => message.success(text.password.changed)} />
      </div>
    </Page>
  )
}
