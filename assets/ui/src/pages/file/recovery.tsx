import { Button } from 'antd'
import { useState } from 'react'
import type { Keyring } from '../../api/keyring'
import { useText } from '../../i18n/text'
import { useCan } from '../../parts/can'
import { RecoveryDialog } from './recovery_dialog'

/** Whether there is a recovery code, and the way to one. */
export function Recovery({ keyring }: { keyring: Keyring }) {
  const text = useText()
  const words = text.keyring
  const mayWrite = useCan('keyring:write')
  const [open, setOpen] = useState(false)
  const set = keyring.recovery_set
  return (
    <section className={set ? 'sheet pad' : 'sheet pad guide-card'} aria-labelledby="recovery" id="recovery-code">
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
      <RecoveryDialog open={open} close={() => setOpen(false)} />
    </section>
  )
}
