import { CheckOutlined } from '../../parts/icons'
import type { ReactNode } from 'react'
import { useText } from '../../i18n/text'
import { LanguageSwitch } from '../../parts/language_switch'
import { Logo } from '../../parts/logo'

/** The page before the house: what this is on the left, a form on the right. */
export function Door({ children }: { children: ReactNode }) {
  const text = useText()
  return (
    <div className="door">
      <aside className="door-art">
        <span className="brand">
          <Logo size={34} />
          {text.product}
        </span>
        <Logo className="door-fish" />
        <div>
          <h2>{text.slogan}</h2>
          <ul>
            {[text.brand.point1, text.brand.point2, text.brand.point3].map((point) => (
              <li key={point}>
                <CheckOutlined />
                {point}
              </li>
            ))}
          </ul>
        </div>
        <span>{text.brand.foot}</span>
      </aside>
      <main className="door-form">
        <div className="door-top">
          <span className="brand">
            <Logo size={28} />
            {text.product}
          </span>
          <LanguageSwitch />
        </div>
        <div className="door-box">{children}</div>
      </main>
    </div>
  )
}
