import { Button, Progress } from 'antd'
import { useState } from 'react'
import type { PlanState } from '../../api/backups'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useCan } from '../../parts/can'
import { PlanForm } from './plan_form'

/** The plan and how it goes: when backups are made, what became of the last, how long they are kept. */
export function Plan({ plan }: { plan: PlanState }) {
  const text = useText()
  const words = text.backups
  const format = useFormat()
  const mayWrite = useCan('file:write')
  const [changing, setChanging] = useState(false)
  const last = !plan.last_at ? words.never : plan.last_ok ? words.lastOk(format.dateTime(plan.last_at)) : words.lastFailed(format.dateTime(plan.last_at))
  return (
    <section className="sheet pad" aria-labelledby="plan">
      <div className="row spread sheet-head">
        <h2 className="sheet-title" id="plan">
          {words.plan}
        </h2>
        {mayWrite && <Button onClick={() => setChanging(true)}>{words.change}</Button>}
      </div>
      <dl className="facts many">
        <div>
          <dt>{words.schedule}</dt>
          <dd>
            <span className={plan.enabled ? 'tag good' : 'tag warn'}>{plan.enabled ? words.planOn(plan.at) : words.planOff}</span>
            {plan.enabled && <span className="faint small note">{words.serverTime}</span>}
          </dd>
        </div>
        <div>
          <dt>{words.next}</dt>
          <dd>{plan.enabled ? format.dateTime(plan.next_at) : text.common.none}</dd>
        </div>
        {plan.retry_at && (
          <div>
            <dt>{words.retry}</dt>
            <dd>{words.retryAt(format.dateTime(plan.retry_at))}</dd>
          </div>
        )}
        <div>
          <dt>{words.last}</dt>
          <dd>{last}</dd>
        </div>
        <div>
          <dt>{words.keep}</dt>
          <dd>{words.keepDays(plan.keep_days)}</dd>
        </div>
        <div>
          <dt>{words.second}</dt>
          <dd>{plan.second_folder ? <code>{plan.second_folder}</code> : words.noSecond}</dd>
        </div>
        <div>
          <dt>{words.cap}</dt>
          <dd>{plan.cap_bytes ? format.bytes(plan.cap_bytes) : words.noCap}</dd>
        </div>
      </dl>
      {plan.thinned.count > 0 && plan.thinned.at && (
        <p className="faint small sheet-note">{words.thinned(plan.thinned.count, format.dateTime(plan.thinned.at))}</p>
      )}
      {plan.running && (
        <div className="under-way" role="status">
          <div className="row spread">
            <strong>{words.works[plan.work] ?? words.running}</strong>
            <span className="faint small">{words.runningHint}</span>
          </div>
          <Progress percent={100} status="active" showInfo={false} aria-label={words.works[plan.work] ?? words.running} />
        </div>
      )}
      <PlanForm plan={plan} open={changing} close={() => setChanging(false)} />
    </section>
  )
}
