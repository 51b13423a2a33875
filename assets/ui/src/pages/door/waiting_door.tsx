import { Progress } from 'antd'
import type { Standing } from '../../api/standing'
import { useText } from '../../i18n/text'
import { Logo } from '../../parts/logo'
import { Door } from './door'

/** While the appliance starts or works on its file: what it does and how far it is. It passes by itself. */
export function WaitingDoor({ standing }: { standing: Extract<Standing, { phase: 'closed' }> }) {
  const text = useText()
  const words = text.standing
  const { work, done, total } = standing
  return (
    <Door>
      <div className="working" role="status">
        <Logo size={52} />
        <h1>{work ? words.works[work] : words.starting}</h1>
      </div>
      {total > 0 && <Progress percent={Math.min(99, Math.floor((done / total) * 100))} aria-label={words.progress} />}
      <p className="soft">{work === 'restore' ? words.restoreHint : words.workHint}</p>
    </Door>
  )
}
