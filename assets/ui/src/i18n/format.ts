import { useMemo } from 'react'
import { useCell } from '../parts/cell'
import { language, tagOf, type Language } from './language'

/** Numbers, sizes and times as people of one language write them, in the viewer's own zone. */
export interface Format {
  number(value: number): string
  bytes(value: number): string
  dateTime(value: string | null | undefined): string
  ago(value: string | null | undefined, now?: number): string
}

const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
]

export function formatFor(lang: Language): Format {
  const tag = tagOf[lang]
  const number = new Intl.NumberFormat(tag)
  const day = { year: 'numeric', month: lang === 'zh' ? '2-digit' : 'short', day: lang === 'zh' ? '2-digit' : 'numeric' } as const
  const dateTime = new Intl.DateTimeFormat(tag, { ...day, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  const relative = new Intl.RelativeTimeFormat(tag, { numeric: 'auto' })
  return {
    number: (value) => number.format(value),
    bytes(value) {
      const units = ['B', 'KB', 'MB', 'GB', 'TB']
      let size = value
      let unit = 0
      while (size >= 1024 && unit < units.length - 1) {
        size /= 1024
        unit++
      }
      return `${number.format(Math.round(size * 10) / 10)} ${units[unit]}`
    },
    dateTime(value) {
      const at = value ? Date.parse(value) : Number.NaN
      return Number.isNaN(at) ? '—' : dateTime.format(at)
    },
    ago(value, now = Date.now()) {
      const at = value ? Date.parse(value) : Number.NaN
      if (Number.isNaN(at)) return '—'
      const seconds = Math.round((at - now) / 1000)
      if (Math.abs(seconds) > 7 * 86_400) return dateTime.format(at)
      for (const [unit, size] of steps) {
        if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit)
      }
      return relative.format(0, 'second')
    },
  }
}

export function useFormat(): Format {
  const lang = useCell(language)
  return useMemo(() => formatFor(lang), [lang])
}

/** The vendor's own text in one language, or in the other if it was not written. */
export function pickText(text: { zh?: string; en?: string } | null | undefined, lang: Language): string {
  const other = lang === 'zh' ? 'en' : 'zh'
  return text?.[lang] || text?.[other] || ''
}

/** `pickText` in the present language. */
export function usePickText(): (text: { zh?: string; en?: string } | null | undefined) => string {
  const lang = useCell(language)
  return (text) => pickText(text, lang)
}
