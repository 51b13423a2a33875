import type { Validity } from '../api/batches'
import type { Format } from '../i18n/format'
import type { Texts } from '../i18n/text'

export const presets = ['day', 'week', 'month', 'season', 'year', 'permanent', 'custom', 'until'] as const

export type Preset = (typeof presets)[number]

const daySeconds = 86_400

/** The days of the named cards: 天 1, 周 7, 月 30, 季 90, 年 365. */
export const presetDays: Partial<Record<Preset, number>> = { day: 1, week: 7, month: 30, season: 90, year: 365 }

/** What the form chose, as the API wants it. */
export function validityOf(preset: Preset, days: number, until: string): Validity {
  if (preset === 'permanent') return { kind: 'permanent' }
  if (preset === 'until') return { kind: 'until', until }
  return { kind: 'duration', seconds: (presetDays[preset] ?? days) * daySeconds }
}

/** A validity in words: the largest unit that comes out even. */
export function validityText(validity: Validity, text: Texts['validity'], format: Format): string {
  if (validity.kind === 'until') return text.until(format.dateTime(validity.until))
  if (validity.kind === 'permanent') return text.permanent
  const seconds = validity.seconds ?? 0
  if (seconds % daySeconds === 0) return text.days(seconds / daySeconds)
  if (seconds % 3600 === 0) return text.hours(seconds / 3600)
  return text.minutes(Math.round(seconds / 60))
}
