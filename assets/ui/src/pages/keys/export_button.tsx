import { App as Feedback, Button, type ButtonProps } from 'antd'
import { useState } from 'react'
import { exportCards } from '../../api/cards'
import { useText } from '../../i18n/text'
import { useSentence } from '../../parts/state'

interface ExportButtonProps extends Pick<ButtonProps, 'icon' | 'disabled' | 'type' | 'size'> {
  filter: { batch_id?: string; app_id?: string; state?: string }
}

/** Hands the card keys of a batch or an app to the browser as a CSV file. */
export function ExportButton({ filter, disabled, ...look }: ExportButtonProps) {
  const text = useText()
  const sentence = useSentence()
  const { message } = Feedback.useApp()
  const [busy, setBusy] = useState(false)
  const start = async () => {
    setBusy(true)
    try {
      await exportCards(filter, `${text.keys.exportFile}.csv`)
      message.success(text.keys.exported)
    } catch (cause) {
      message.error(sentence(cause))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Button {...look} loading={busy} disabled={disabled} title={disabled ? text.keys.exportHint : undefined} onClick={() => void start()}>
      {busy ? text.keys.exporting : text.keys.export}
    </Button>
  )
}
