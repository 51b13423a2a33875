import { useCell } from '../parts/cell'
import { en } from './en'
import { language, type Language } from './language'
import { zh } from './zh'

/** Every text of the console. A key that one language lacks does not compile. */
export type Texts = typeof zh

export const texts: Record<Language, Texts> = { zh, en }

/** The texts of the present language. */
export function useText(): Texts {
  return texts[useCell(language)]
}

/** The texts of the present language, for code outside of components. */
export function currentText(): Texts {
  return texts[language.get()]
}

/** The text for a word of the API, or the word itself where the catalogue has none. */
export function wordOf(words: Record<string, string>, word: string): string {
  return Object.prototype.hasOwnProperty.call(words, word) ? (words[word] ?? word) : word
}
