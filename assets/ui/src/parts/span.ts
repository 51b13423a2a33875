import type { Texts } from '../i18n/text'

/**
 * A length of time in words, never longer than it is: up to two minutes in seconds, up to two hours in
 * minutes, then in hours.
 */
export function spanText(seconds: number, words: Texts['span']): string {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < 120) return words.seconds(whole)
  if (whole < 7200) return words.minutes(Math.floor(whole / 60))
  return words.hours(Math.floor(whole / 3600))
}
