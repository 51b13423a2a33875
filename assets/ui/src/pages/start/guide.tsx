import { Button, Progress } from 'antd'
import { useNavigate } from 'react-router'
import type { Dashboard } from '../../api/dashboard'
import { useText } from '../../i18n/text'

/** The reminder on the overview that the first steps are not done yet. */
export function Guide({ steps, hide }: { steps: Dashboard['steps']; hide: () => void }) {
  const text = useText()
  const navigate = useNavigate()
  const done = [steps.app, steps.keys, steps.connected].filter(Boolean).length
  return (
    <section className="sheet pad row spread guide-card" aria-label={text.start.title}>
      <div className="row guide-words">
        <Progress type="circle" size={46} percent={Math.round((done / 3) * 100)} format={() => `${done}/3`} aria-label={text.start.progress(done)} />
        <div>
          <h2 className="sheet-title">{text.start.title}</h2>
          <p className="soft">{text.start.intro}</p>
        </div>
      </div>
      <div className="row">
        <Button type="text" onClick={hide}>
          {text.start.hide}
        </Button>
        <Button type="primary" onClick={() => void navigate('/start')}>
          {text.start.continue}
        </Button>
      </div>
    </section>
  )
}
