import { useText } from '../../i18n/text'
import { Logo } from '../../parts/logo'

/** While all of a backup is being read. */
export function Looking() {
  const text = useText()
  return (
    <div className="looking" role="status">
      <Logo size={44} />
      <p className="soft">{text.report.checking}</p>
    </div>
  )
}
