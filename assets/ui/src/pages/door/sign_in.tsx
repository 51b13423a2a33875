import { Alert, Button } from 'antd'
import { lazy, Suspense, useState } from 'react'
import type { Outcome } from '../../api/standing'
import { useText } from '../../i18n/text'
import { Door } from './door'
import { SignInForm } from './sign_in_form'

const RestoreDoor = lazy(() => import('./restore_door'))

interface SignInProps {
  /** A session came to its end. */
  ended: boolean
  /** Nobody has used the appliance yet: a backup may take its place. */
  empty: boolean
  outcome?: Outcome | undefined
}

/** The way in while the appliance serves. */
export function SignIn({ ended, empty, outcome }: SignInProps) {
  const text = useText()
  const [restoring, setRestoring] = useState(false)
  if (restoring && empty) {
    return (
      <Suspense fallback={<Door>{null}</Door>}>
        <RestoreDoor back={() => setRestoring(false)} />
      </Suspense>
    )
  }
  return (
    <Door>
      <h1>{text.signIn.title}</h1>
      <p>{empty ? text.signIn.hint : text.slogan}</p>
      <SignInForm submitText={text.signIn.submit} word={<Word ended={ended} outcome={outcome} />} />
      {empty && (
        <p className="door-foot">
          <Button type="link" onClick={() => setRestoring(true)}>
            {text.restoreDoor.link}
          </Button>
        </p>
      )}
    </Door>
  )
}

/** Why somebody stands here: what was done to the file, or that a session has ended. */
function Word({ ended, outcome }: { ended: boolean; outcome?: Outcome | undefined }) {
  const text = useText()
  if (outcome?.fault) {
    return <Alert className="form-fault" type="error" showIcon title={text.standing.failedTitle} description={outcome.fault} />
  }
  const good = outcome?.work === 'restore' ? text.standing.restored : outcome?.work === 'unseal' ? text.recovery.done : ''
  if (good) return <Alert className="form-fault" type="success" showIcon title={good} />
  return ended ? <Alert className="form-fault" type="info" showIcon title={text.signIn.ended} /> : null
}
