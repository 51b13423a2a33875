import { ZxcvbnFactory, type MatchExtended } from '@zxcvbn-ts/core'
import { adjacencyGraphs } from '@zxcvbn-ts/language-common'
import { commonWords } from './common_words'
import { pinyin } from './pinyin'

export const levels = ['weak', 'fair', 'good', 'strong'] as const

export type Level = (typeof levels)[number]

/** What would make a password stronger. */
export type Advice = 'names' | 'common' | 'walk' | 'pinyin' | 'sequence' | 'repeat' | 'date' | 'longer' | 'more'

export interface Strength {
  level: Level
  advice: Advice[]
}

/** So many characters are suggested: the password protects the copies of the file too, at which one may guess for years. */
export const suggestedLength = 12

/** How many guesses, as a power of ten, it takes for each level. */
const enough: Record<Exclude<Level, 'weak'>, number> = { fair: 6, good: 11, strong: 13 }

const mostAdvice = 2
const judged = 80 // characters; the rules take no more than 72 bytes

const guesser = new ZxcvbnFactory({ dictionary: { common: commonWords }, graphs: adjacencyGraphs }, { pinyin })

/**
 * How long a password would stand against one who knows the usual ways to make one up, and what would make it
 * stronger. `names` are what belongs to the account. Short ones are fair at best.
 */
export function strengthOf(password: string, names: readonly string[]): Strength {
  const plain = password.normalize('NFC').slice(0, judged)
  const short = [...plain].length < suggestedLength
  const own = names.flatMap((name) => [name, ...name.split(/[^\p{L}\p{N}]+/u)]).filter((name) => name.length >= 3).map((name) => name.toLowerCase())
  const guessed = [plain, unshifted(plain)].map((form) => guess(form, plain, own))
  const [best] = guessed.sort((one, other) => one.power - other.power)
  const power = best?.power ?? 0
  const level = power < enough.fair ? 'weak' : power < enough.good || short ? 'fair' : power < enough.strong ? 'good' : 'strong'
  const found = new Set<Advice>(best?.parts.flatMap((part) => adviceFor(part, own)))
  if (short) found.add('longer')
  if (found.size === 0) found.add('more')
  return { level, advice: level === 'strong' ? [] : [...found].slice(0, mostAdvice) }
}

interface Guess {
  /** The number of guesses as a power of ten. */
  power: number
  parts: MatchExtended[]
}

function guess(form: string, typed: string, own: string[]): Guess {
  const { guessesLog10, sequence } = guesser.check(form, own)
  const unknown = sequence.filter(({ pattern }) => pattern === 'bruteforce').map(({ i, j }) => typed.slice(i, j + 1))
  const chance = unknown.filter(byChance).reduce((sum, token) => sum + token.length * perChance, 0)
  return { power: guessesLog10 + chance, parts: sequence }
}

/** The guesser counts ten for a character that it sees no pattern in, as in words that it does not know. Chance has more. */
const perChance = 0.4

/** Whether capitals, small letters, digits and signs change places as they do by chance, and in no word. */
function byChance(token: string): boolean {
  const kinds = [...token].map((c) => (/[a-z]/.test(c) ? 'a' : /[A-Z]/.test(c) ? 'A' : /[0-9]/.test(c) ? '0' : '-'))
  const changes = kinds.filter((kind, place) => place > 0 && kind !== kinds[place - 1]).length
  return token.length >= 6 && changes > token.length / 2
}

const digitKeys = ')!@#$%^&*('

/** The keys that are pressed, without the shift: a walk over the keyboard is the same walk with it. */
function unshifted(text: string): string {
  return text.replace(/[A-Z)!@#$%^&*(]/g, (c) => (digitKeys.includes(c) ? String(digitKeys.indexOf(c)) : c.toLowerCase()))
}

const walks = /^(?:[1-7][qazwsxedcrfvtgbyhnujm]{3}|qaz|zaq|qwe|asd|zxc|1q2w|q1w2)/i

function adviceFor(part: MatchExtended, own: string[]): Advice[] {
  switch (part.pattern) {
    case 'dictionary':
      if (own.includes(part.matchedWord)) return ['names']
      return [walks.test(part.token) ? 'walk' : /^\d/.test(part.token) ? 'sequence' : 'common']
    case 'spatial':
      return ['walk']
    case 'regex':
    case 'date':
      return ['date']
    case 'pinyin':
    case 'sequence':
    case 'repeat':
      return [part.pattern]
    default:
      return []
  }
}
