import { Button } from 'antd'
import { lazy, Suspense, useState } from 'react'
import { appliance } from '../../api/standing'
import { useText } from '../../i18n/text'
import { Arrival } from './arrival'
import { Door } from './door'
import { SignInForm } from './sign_in_form'

const RecoveryDoor = lazy(() => import('./recovery_door'))

/** The file waits for an owner: their sign-in opens it, or the recovery code. */
export function SealedDoor({ recovery }: { recovery: boolean }) {
  const text = useText()
  const [byCode, setByCode] = useState(false)
  const [copied, setCopied] = useState(false)
  const question = <Arrival copied={copied} choose={setCopied} />
  if (byCode) {
    return (
      <Suspense fallback={<Door>{null}</Door>}>
        <RecoveryDoor
          question={question}
          copied={copied}
          back={() => setByCode(false)}
          done={() => appliance.opened({ work: 'unseal', fault: '' })}
        />
      </Suspense>
    )
  }
  return (
    <Door>
      <h1>{text.sealed.title}</h1>
      <p>{text.sealed.hint}</p>
      <SignInForm submitText={text.sealed.submit} question={question} copied={copied} done={() => appliance.opened()} />
      {recovery && (
        <p className="door-foot">
          <Button type="link" onClick={() => setByCode(true)}>
            {text.sealed.useCode}
          </Button>
        </p>
      )}
      <p className="door-foot faint small">{text.sealed.clients}</p>
    </Door>
  )
}
