import { useDeferredValue, useEffect, useState } from 'react'
import { useText } from '../../i18n/text'
import type { Strength } from './strength'

type Judge = (password: string, names: readonly string[]) => Strength

const places = { weak: 1, fair: 2, good: 3, strong: 4 } as const

/**
 * How strong the password is that is being typed, in words, and what would make it stronger. It advises; the rules
 * decide. The judge is loaded only here; without it the suggestion stands alone.
 */
export function StrengthMeter({ password, names, id }: { password: string; names: readonly string[]; id: string }) {
  const words = useText().password.strength
  const judge = useJudge()
  const typed = useDeferredValue(password)
  const strength = judge && typed ? judge(typed, names) : undefined
  const place = strength ? places[strength.level] : 0
  const advice = strength?.advice.map((reason) => words.advice[reason]) ?? []
  return (
    <div className="strength" data-level={strength?.level}>
      {strength && (
        <>
          <div
            className="strength-bar"
            role="meter"
            aria-label={words.label}
            aria-valuemin={0}
            aria-valuemax={4}
            aria-valuenow={place}
            aria-valuetext={words.levels[strength.level]}
          >
            {[1, 2, 3, 4].map((part) => (
              <i key={part} className={part <= place ? 'on' : undefined} />
            ))}
          </div>
          <span className="strength-word" aria-hidden="true">
            {words.is(words.levels[strength.level])}
          </span>
        </>
      )}
      <div className="strength-notes" id={id}>
        {advice.map((sentence) => (
          <p key={sentence}>{sentence}</p>
        ))}
        <p className="faint">{words.suggested}</p>
      </div>
    </div>
  )
}

function useJudge(): Judge | undefined {
  const [judge, setJudge] = useState<Judge>()
  useEffect(() => {
    let here = true
    import('./strength').then(
      ({ strengthOf }) => here && setJudge(() => strengthOf),
      () => undefined, // it does not come: one can set a password all the same
    )
    return () => {
      here = false
    }
  }, [])
  return judge
}
