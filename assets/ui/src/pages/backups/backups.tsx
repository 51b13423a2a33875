import { Alert, App as Feedback, Button } from 'antd'
import { useEffect, useRef } from 'react'
import { usePlan, useStartBackup, type PlanState } from '../../api/backups'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useCan } from '../../parts/can'
import { Page } from '../../parts/page'
import { Loaded, useSentence } from '../../parts/state'
import { BackupList } from './list'
import { Plan } from './plan'

export default function Backups() {
  const text = useText()
  const words = text.backups
  const plan = usePlan()
  return (
    <Page title={words.title} intro={words.intro} actions={<StartBackup plan={plan.data} />}>
      <div className="stack">
        <Loaded query={plan} waiting={<div className="sheet skeleton" />}>
          {(state) => (
            <>
              <Troubles plan={state} />
              <Plan plan={state} />
            </>
          )}
        </Loaded>
        <BackupList />
      </div>
    </Page>
  )
}

/** The button for a backup now; says when the one that it began is done. */
function StartBackup({ plan }: { plan: PlanState | undefined }) {
  const text = useText()
  const words = text.backups
  const sentence = useSentence()
  const { message } = Feedback.useApp()
  const mayWrite = useCan('file:write')
  const start = useStartBackup()
  const mine = useRef('')
  const { running, last_at, last_ok } = plan ?? {}
  useEffect(() => {
    if (!mine.current || running || last_at === mine.current || !last_at) return
    mine.current = ''
    if (last_ok) message.success(words.done)
  }, [running, last_at, last_ok, message, words])
  if (!mayWrite) return null
  const begin = async () => {
    mine.current = last_at ?? 'never'
    try {
      await start.mutateAsync()
    } catch (refusal) {
      mine.current = ''
      message.error(sentence(refusal))
    }
  }
  return (
    <Button type="primary" disabled={!plan} loading={start.isPending || running} onClick={() => void begin()}>
      {words.now}
    </Button>
  )
}

/** That the last backup failed, why, and what to do; and that they take too much room. */
function Troubles({ plan }: { plan: PlanState }) {
  const text = useText()
  const words = text.backups
  const format = useFormat()
  const failed = plan.last_at && !plan.last_ok
  return (
    <>
      {failed && (
        <Alert
          type="error"
          showIcon
          role="alert"
          title={words.failed}
          description={
            <>
              <p className="strong">{plan.last_error_message || plan.last_error_code}</p>
              <p>{words.failedHint}</p>
              <p className="faint small">{words.failedAt(format.dateTime(plan.last_at))}</p>
              <p className="faint small">{plan.last_good_at ? words.lastGood(format.dateTime(plan.last_good_at)) : words.noneGood}</p>
            </>
          }
        />
      )}
      {plan.over_cap && <Alert type="warning" showIcon title={words.over} description={words.overHint} />}
    </>
  )
}
