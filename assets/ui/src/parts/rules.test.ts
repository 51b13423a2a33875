import { describe, expect, it } from 'vitest'
import { formatFor } from '../i18n/format'
import { texts } from '../i18n/text'
import { sentenceOf } from './happenings'
import { percentOf } from '../pages/jobs/percent'
import { looksLikeCardKey } from './card_key'
import { cell } from './cell'
import { backward, firstPage, forward } from './cursor'
import { placeOf } from './faults'
import { isStrong, judgePassword } from './password_rules'
import { tidy } from './tidy'
import { validityOf, validityText } from './validity'

describe('password rules', () => {
  const broken = (password: string, names: string[] = []) =>
    Object.entries(judgePassword(password, names))
      .filter(([, met]) => !met)
      .map(([rule]) => rule)

  it.each([
    ['', ['length', 'lower', 'upper', 'digit', 'special', 'bytes', 'name']],
    ['Goldfish-2026', []],
    ['Gold-26', ['length']],
    ['GOLDFISH-2026', ['lower']],
    ['goldfish-2026', ['upper']],
    ['Goldfish-Box', ['digit']],
    ['Goldfish2026', ['special']],
    ['Goldfish 2026', []],
    ['金鱼Goldfish2026', []],
    [`Aa1-${'x'.repeat(68)}`, []],
    [`Aa1-${'x'.repeat(69)}`, ['bytes']],
    [`Aa1-${'鱼'.repeat(23)}`, ['bytes']],
  ])('judges %j', (password, rules) => {
    expect(broken(password)).toEqual(rules)
  })

  it('refuses one that contains the user name in any case, if that is three bytes or more', () => {
    expect(broken('My-ADMIN-2026', ['admin', ''])).toEqual(['name'])
    expect(isStrong('My-Admi-2026', ['admin', ''])).toBe(true)
    expect(isStrong('Goldfish-2026', ['go', ''])).toBe(true)
  })
})

describe('card keys as they are typed', () => {
  it.each(['ABCD-EFGH-JKLM-NPQR', 'abcdefghjklmnpqr', ' abcd efgh jklm npqr ', 'ＡＢＣＤ－ＥＦＧＨ－ＪＫＬＭ－ＮＰＱＲ', 'ABCD–EFGH—JKLM−NPQR', 'ABCD\u200BEFGHJKLMNPQR'])(
    'takes %j',
    (typed) => expect(looksLikeCardKey(typed)).toBe(true),
  )
  it.each(['', 'ABCD-EFGH-JKLM-NPQ', 'ABCD-EFGH-JKLM-NPQRS', 'ABCD-EFGH-JKLM-NPQı', 'ABCD_EFGH_JKLM_NPQR'])('refuses %j', (typed) =>
    expect(looksLikeCardKey(typed)).toBe(false),
  )
})

describe('validity', () => {
  it('makes the API’s form of a choice', () => {
    expect(validityOf('month', 5, '')).toEqual({ kind: 'duration', seconds: 2_592_000 })
    expect(validityOf('custom', 5, '')).toEqual({ kind: 'duration', seconds: 432_000 })
    expect(validityOf('permanent', 5, '')).toEqual({ kind: 'permanent' })
    expect(validityOf('until', 5, '2026-12-31T16:00:00Z')).toEqual({ kind: 'until', until: '2026-12-31T16:00:00Z' })
  })

  it('says it in the largest unit that comes out even', () => {
    const say = (seconds: number) => validityText({ kind: 'duration', seconds }, texts.zh.validity, formatFor('zh'))
    expect([86_400, 2_592_000, 7_200, 5_400].map(say)).toEqual(['1 天', '30 天', '2 小时', '90 分钟'])
    expect(validityText({ kind: 'permanent' }, texts.en.validity, formatFor('en'))).toBe('Permanent')
  })
})

describe('pages by cursor', () => {
  it('goes forward and back, and never before the first', () => {
    const third = forward(forward(firstPage('f'), 'a'), 'b')
    expect(third.cursors).toEqual(['', 'a', 'b'])
    expect(backward(third).cursors).toEqual(['', 'a'])
    expect(backward(firstPage('f')).cursors).toEqual([''])
  })
})

describe('the place of a field error', () => {
  const names = ['app_id', 'name.zh', 'name.en', 'preset']
  it.each([
    ['app_id', 'app_id'],
    ['body.app_id', 'app_id'],
    ['name', 'name.zh'],
    ['name.en', 'name.en'],
    ['preset.seconds', 'preset'],
    ['colour', undefined],
  ])('%s is shown at %s', (field, place) => expect(placeOf(field, names)).toBe(place))
})

describe('the sentence of an event', () => {
  const words = texts.zh.events.kinds
  it('is that of its kind and reason, of its kind, or the kind itself', () => {
    expect(sentenceOf({ kind: 'app.changed', code: 'disabled' }, words)).toBe('停用了应用')
    expect(sentenceOf({ kind: 'app.changed', code: '' }, words)).toBe('修改了应用')
    expect(sentenceOf({ kind: 'user.login.refused', code: 'credentials_wrong' }, words)).toBe('登录被拒绝')
    expect(sentenceOf({ kind: 'system.setting.changed', code: 'clock_confirmed' }, words)).toBe('确认时钟是对的，清理继续进行')
    expect(sentenceOf({ kind: 'weather.rain', code: '' }, words)).toBe('weather.rain')
  })
})

describe('progress', () => {
  it('says 100 only when the job is done', () => {
    expect(percentOf({ state: 'running', done: 999_999, total: 1_000_000 })).toBe(99)
    expect(percentOf({ state: 'running', done: 10, total: 10 })).toBe(99)
    expect(percentOf({ state: 'running', done: 0, total: 0 })).toBe(0)
    expect(percentOf({ state: 'done', done: 0, total: 0 })).toBe(100)
  })
})

describe('cell', () => {
  it('tells its watchers of changes only, and no one who left', () => {
    const value = cell(1)
    let told = 0
    const leave = value.subscribe(() => told++)
    value.set(1)
    value.set(2)
    leave()
    value.set(3)
    expect(told).toBe(1)
    expect(value.get()).toBe(3)
  })
})

describe('vendor texts', () => {
  it('are sent without blanks at the ends, both languages always', () => {
    expect(tidy({ zh: ' 剪辑 ' })).toEqual({ zh: '剪辑', en: '' })
    expect(tidy(undefined)).toEqual({ zh: '', en: '' })
  })
})
