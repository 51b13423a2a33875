import { Button } from 'antd'
import { useState } from 'react'
import { useLocation, useNavigate } from 'react-router'
import type { Keyring } from '../../api/keyring'
import { useText } from '../../i18n/text'
import { useCan } from '../../parts/can'
import { RecoveryDialog } from './recovery_dialog'

/** Whether there is a recovery code, and the way to one; an address that asks for it opens that at once. */
export function Recovery({ keyring }: { keyring: Keyring }) {
  const text = useText()
  const words = text.keyring
  const mayWrite = useCan('keyring:write')
  const set = keyring.recovery_set
  const asked = useLocation().hash === '#recovery-code'
  const navigate = useNavigate()
  const [open, setOpen] = useState(asked && !set && mayWrite)
  const close = () => {
    setOpen(false)
    if (asked) void navigate('/file', { replace: true }) // the address has done its work
  }
  return (
    <section className={set ? 'sheet pad' : 'sheet pad guide-card'} aria-labelledby="recovery">
      <div className="row spread sheet-head">
        <h2 className="sheet-title row" id="recovery">
          {words.recovery}
          <span className={set ? 'tag good' : 'tag warn'}>{set ? words.recoverySet : words.recoveryUnset}</span>
        </h2>
        {mayWrite && (
          <Button type={set ? 'default' : 'primary'} onClick={() => setOpen(true)}>
            {set ? words.renewRecovery : words.makeRecovery}
          </Button>
        )}
      </div>
      <p className="soft">{set ? words.recoverySetHint : words.recoveryUnsetHint}</p>
      <RecoveryDialog open={open} close={close} />
    </section>
  )
}
