import type { ReactNode } from 'react'
import { CopyButton } from './copy'

/** Code to take along: its name, a copy button, and what else is given. */
export function CodeBlock({ name, code, actions }: { name: string; code: string; actions?: ReactNode }) {
  return (
    <figure className="code">
      <figcaption className="code-head">
        <span>{name}</span>
        <span className="row">
          {actions}
          <CopyButton value={code} what={name} worded />
        </span>
      </figcaption>
      <pre tabIndex={0} aria-label={name}>
        <code>{code}</code>
      </pre>
    </figure>
  )
}
