import { CheckOutlined, CopyOutlined } from './icons'
import { App, Button, type ButtonProps } from 'antd'
import { useEffect, useState } from 'react'
import { useText } from '../i18n/text'

/** Puts text on the clipboard; false where the browser does not let us. */
export async function copyText(value: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(value)
    return true
  } catch {
    return copyBySelection(value) // pages served over plain http to another machine have no clipboard API
  }
}

function copyBySelection(value: string): boolean {
  const area = document.createElement('textarea')
  area.value = value
  area.setAttribute('readonly', '')
  area.className = 'visually-hidden'
  document.body.append(area)
  area.select()
  const done = document.execCommand('copy')
  area.remove()
  return done
}

interface CopyButtonProps extends Pick<ButtonProps, 'type' | 'size'> {
  value: string
  /** What is copied, for people who do not see where the button stands. */
  what: string
  /** Shows the word beside the icon. */
  worded?: boolean
}

export function CopyButton({ value, what, worded, type = 'text', size = 'small' }: CopyButtonProps) {
  const text = useText()
  const { message } = App.useApp()
  const [done, setDone] = useState(false)
  useEffect(() => {
    if (!done) return
    const timer = setTimeout(() => setDone(false), 2000)
    return () => clearTimeout(timer)
  }, [done])
  const copy = async () => {
    if (await copyText(value)) setDone(true)
    else message.warning(text.common.copyFailed)
  }
  return (
    <Button
      type={type}
      size={size}
      icon={done ? <CheckOutlined /> : <CopyOutlined />}
      aria-label={text.common.copyOf(what)}
      title={text.common.copyOf(what)}
      onClick={(event) => {
        event.stopPropagation()
        void copy()
      }}
    >
      {worded && (done ? text.common.copied : text.common.copy)}
      {done && !worded && (
        <span className="visually-hidden" role="status">
          {text.common.copied}
        </span>
      )}
    </Button>
  )
}

/** A value in fixed width with its copy button. */
export function Copyable({ value, what }: { value: string; what: string }) {
  return (
    <span className="copyable">
      <code>{value}</code>
      <CopyButton value={value} what={what} />
    </span>
  )
}
