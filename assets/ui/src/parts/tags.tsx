import { useText, wordOf } from '../i18n/text'

type Tone = 'good' | 'warn' | 'bad' | 'accent' | 'calm'

const tones: Record<string, Tone> = {
  active: 'good',
  enabled: 'good',
  ready: 'good',
  done: 'good',
  published: 'good',
  bound: 'good',
  current: 'good',
  unused: 'accent',
  generating: 'accent',
  running: 'accent',
  standby: 'accent',
  expired: 'warn',
  withdrawn: 'warn',
  cancelled: 'warn',
  disabled: 'bad',
  failed: 'bad',
  deleted: 'calm',
  high: 'bad',
  medium: 'accent',
}

/** A state as a small coloured word. */
export function Tag({ state, words }: { state: string; words: Record<string, string> }) {
  return <span className={`tag ${tones[state] ?? 'calm'}`}>{wordOf(words, state)}</span>
}

export function CardState({ state }: { state: string }) {
  return <Tag state={state} words={useText().keys.states} />
}
