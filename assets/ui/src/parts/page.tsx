import { ArrowLeftOutlined } from './icons'
import { useEffect, useRef, type ReactNode } from 'react'
import { Link } from 'react-router'
import { useText } from '../i18n/text'

interface PageProps {
  title: string
  intro?: ReactNode
  back?: { to: string; label: string }
  actions?: ReactNode
  children: ReactNode
}

/** One page: its heading takes the focus when the page opens, and names the tab. */
export function Page({ title, intro, back, actions, children }: PageProps) {
  const text = useText()
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} · ${text.product}`
  }, [title, text])
  useEffect(() => {
    heading.current?.focus({ preventScroll: true })
    window.scrollTo(0, 0)
  }, [])
  return (
    <>
      <header className="page-head">
        <div>
          {back && (
            <Link className="page-back" to={back.to}>
              <ArrowLeftOutlined /> {back.label}
            </Link>
          )}
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          {intro && <p>{intro}</p>}
        </div>
        {actions && <div className="row">{actions}</div>}
      </header>
      {children}
    </>
  )
}
