export type Mood = 'good' | 'warn' | 'bad' | 'calm'

/** A coloured dot; never alone: a word beside it says the same. */
export function Dot({ mood }: { mood: Mood }) {
  return <span className={`dot ${mood}`} aria-hidden="true" />
}
