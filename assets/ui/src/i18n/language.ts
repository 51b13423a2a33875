import { cell } from '../parts/cell'

export type Language = 'zh' | 'en'

const place = 'goldfish.language'

/** The language to begin with: the one chosen before, else the browser's, else Chinese. */
export function firstLanguage(chosen: string | null, browser: readonly string[]): Language {
  if (chosen === 'zh' || chosen === 'en') return chosen
  for (const tag of browser) {
    const main = tag.toLowerCase().split('-')[0]
    if (main === 'zh' || main === 'en') return main
  }
  return 'zh'
}

function remembered(): string | null {
  try {
    return localStorage.getItem(place)
  } catch {
    return null // storage may be switched off; the language then lasts as long as the tab
  }
}

export const language = cell<Language>(
  typeof window === 'undefined' ? 'zh' : firstLanguage(remembered(), navigator.languages),
)

export function chooseLanguage(next: Language): void {
  language.set(next)
  try {
    localStorage.setItem(place, next)
  } catch {
    // as above
  }
}

/** The tag for `lang`, `Accept-Language` and Intl. */
export const tagOf: Record<Language, string> = { zh: 'zh-CN', en: 'en' }
