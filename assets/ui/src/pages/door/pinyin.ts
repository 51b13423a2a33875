import { MatcherBaseClass, type Match, type MatchExtended, type Matcher, type MatchOptions } from '@zxcvbn-ts/core'

const initial = '(?:zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])'
const final = '(?:[iu]ang|iong|[aeio]ng|ia[no]|ua[in]|a[ino]|e[inr]|i[aenu]|ou|u[aeino]|ve|[aeiouv])'
const syllable = new RegExp(`^(?:${initial}${final}|ang?|a[io]|e[inr]|ou)$`, 'i')
const longest = 6 // zhuang
const mostSyllables = 4

/** What reads as names and words in pinyin: up to four syllables in a row, one sign between two of them. */
class Pinyin extends MatcherBaseClass {
  match({ password }: MatchOptions): MatchExtended[] {
    return [...password].flatMap((_, i) => runs(password, i))
  }
}

function runs(password: string, i: number): MatchExtended[] {
  const found: (Match & { syllables: number })[] = []
  let ends = new Set([i])
  for (let syllables = 1; syllables <= mostSyllables && ends.size > 0; syllables++) {
    const next = new Set<number>()
    for (const end of ends) for (const to of syllableEnds(password, end, syllables > 1)) next.add(to)
    for (const to of next) found.push({ pattern: 'pinyin', i, j: to - 1, token: password.slice(i, to), syllables })
    ends = next
  }
  return found as MatchExtended[]
}

function syllableEnds(password: string, from: number, inside: boolean): number[] {
  const start = inside && /[-_. ]/.test(password[from] ?? '') ? from + 1 : from
  const ends = []
  for (let to = start + 2; to <= Math.min(start + longest, password.length); to++) {
    if (syllable.test(password.slice(start, to))) ends.push(to)
  }
  return ends
}

/** A name of three syllables is one of some millions, those that are usual counted first. */
export const pinyin: Matcher = {
  Matching: Pinyin,
  scoring: (match) => 20 * 50 ** Number(match['syllables']) * (/[A-Z]/.test(match.token) ? 2 : 1),
  feedback: () => null,
}
