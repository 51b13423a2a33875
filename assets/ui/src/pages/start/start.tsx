import { CheckOutlined } from '../../parts/icons'
import { Button } from 'antd'
import { useState, type ReactNode } from 'react'
import { useNavigate } from 'react-router'
import { useApps } from '../../api/apps'
import { useDashboard, type Dashboard } from '../../api/dashboard'
import { useText } from '../../i18n/text'
import { Page } from '../../parts/page'
import { Loaded } from '../../parts/state'
import { AppForm } from '../apps/app_form'
import { Generate } from '../keys/generate'

export default function Start() {
  const text = useText()
  return (
    <Page title={text.start.title} intro={text.start.intro}>
      <Loaded query={useDashboard()}>{(data) => <Steps steps={data.steps} />}</Loaded>
    </Page>
  )
}

function Steps({ steps }: { steps: Dashboard['steps'] }) {
  const text = useText()
  const navigate = useNavigate()
  const apps = useApps()
  const [open, setOpen] = useState<'app' | 'keys'>()
  const newest = [...(apps.data?.items ?? [])].sort((a, b) => (b.created_at ?? '').localeCompare(a.created_at ?? ''))[0]
  const toApp = (tab: string) => void navigate(newest ? `/apps/${newest.id}?tab=${tab}` : '/apps')
  const now = !steps.app ? 'app' : !steps.keys ? 'keys' : !steps.connected ? 'connect' : undefined
  return (
    <>
      {!now && (
        <section className="sheet pad row spread all-done" role="status">
          <div>
            <h2 className="sheet-title">{text.start.allDone}</h2>
            <p className="soft">{text.start.allDoneHint}</p>
          </div>
          <Button type="primary" onClick={() => void navigate('/')}>
            {text.start.toDashboard}
          </Button>
        </section>
      )}
      <ol className="steps">
        <Step
          number={1}
          words={text.start.app}
          done={steps.app}
          now={now === 'app'}
          act={
            steps.app ? (
              <Button onClick={() => toApp('overview')}>{text.start.app.view}</Button>
            ) : (
              <Button type="primary" onClick={() => setOpen('app')}>
                {text.start.app.action}
              </Button>
            )
          }
        />
        <Step
          number={2}
          words={text.start.keys}
          done={steps.keys}
          now={now === 'keys'}
          act={
            steps.keys ? (
              <Button onClick={() => void navigate('/keys')}>{text.start.keys.view}</Button>
            ) : (
              <Button type={now === 'keys' ? 'primary' : 'default'} disabled={!steps.app} onClick={() => setOpen('keys')}>
                {text.start.keys.action}
              </Button>
            )
          }
        />
        <Step
          number={3}
          words={text.start.connect}
          done={steps.connected}
          now={now === 'connect'}
          act={
            <Button type={now === 'connect' ? 'primary' : 'default'} disabled={!steps.app} onClick={() => toApp('connect')}>
              {text.start.connect.action}
            </Button>
          }
        />
      </ol>
      <AppForm open={open === 'app'} close={() => setOpen(undefined)} />
      <Generate open={open === 'keys'} close={() => setOpen(undefined)} appId={newest?.id} />
    </>
  )
}

interface StepProps {
  number: number
  words: { title: string; hint: string }
  done: boolean
  now: boolean
  act: ReactNode
}

function Step({ number, words, done, now, act }: StepProps) {
  const text = useText()
  return (
    <li className={done ? 'step done' : now ? 'step now' : 'step'} aria-current={now ? 'step' : undefined}>
      <span className="step-number">{done ? <CheckOutlined /> : number}</span>
      <div>
        <h2>
          {words.title}
          {done && <span className="visually-hidden"> {text.start.done}</span>}
        </h2>
        <p>{words.hint}</p>
      </div>
      <div className="step-act">{act}</div>
    </li>
  )
}
