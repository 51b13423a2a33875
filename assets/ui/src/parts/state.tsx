import { ReloadOutlined } from './icons'
import type { UseQueryResult } from '@tanstack/react-query'
import { Alert, Button, Skeleton } from 'antd'
import type { ReactNode } from 'react'
import { Fault } from '../api/wire'
import { useText } from '../i18n/text'
import { Logo } from './logo'

/** The sentence for any error: the server's own where there is one. */
export function useSentence(): (cause: unknown) => string {
  const text = useText()
  return (cause) => (cause instanceof Fault ? cause.message : text.fault.crashed)
}

/** An error with a way to try again. */
export function Failure({ cause, retry }: { cause: unknown; retry?: () => void }) {
  const text = useText()
  const sentence = useSentence()
  return (
    <div className="nothing" role="alert">
      <strong>{text.fault.title}</strong>
      <p>{sentence(cause)}</p>
      {retry && (
        <div className="row">
          <Button icon={<ReloadOutlined />} onClick={retry}>
            {text.common.retry}
          </Button>
        </div>
      )}
    </div>
  )
}

/** An empty place that says what to do next. */
export function Nothing({ title, hint, action, small }: { title: string; hint?: string; action?: ReactNode; small?: boolean }) {
  return (
    <div className={small ? 'nothing small-one' : 'nothing'}>
      <Logo size={small ? 34 : 52} />
      <strong>{title}</strong>
      {hint && <p>{hint}</p>}
      {action && <div className="row">{action}</div>}
    </div>
  )
}

interface LoadedProps<T> {
  query: UseQueryResult<T>
  /** What stands in for the data while it loads; lines of grey by default. */
  waiting?: ReactNode
  children: (data: T) => ReactNode
}

/** Shows loading, error or the data. Data that is held stays visible when a later refresh fails. */
export function Loaded<T>({ query, waiting, children }: LoadedProps<T>) {
  const text = useText()
  const sentence = useSentence()
  const retry = () => void query.refetch()
  if (query.data === undefined) {
    if (query.isError) return <Failure cause={query.error} retry={retry} />
    return (
      <div aria-busy="true">
        <span className="visually-hidden" role="status">
          {text.common.loading}
        </span>
        {waiting ?? (
          <div className="skeleton">
            <Skeleton active title={false} paragraph={{ rows: 5 }} />
          </div>
        )}
      </div>
    )
  }
  return (
    <>
      {query.isError && (
        <Alert
          type="warning"
          showIcon
          banner
          title={sentence(query.error)}
          action={
            <Button size="small" onClick={retry}>
              {text.common.retry}
            </Button>
          }
        />
      )}
      {children(query.data)}
    </>
  )
}

/** The refusal of a form's whole sending, above its fields. */
export function FormFault({ cause }: { cause: unknown }) {
  const sentence = useSentence()
  if (!cause) return null
  return <Alert className="form-fault" type="error" showIcon role="alert" title={sentence(cause)} />
}
