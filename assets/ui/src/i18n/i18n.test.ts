import { describe, expect, it } from 'vitest'
import { formatFor, pickText } from './format'
import { firstLanguage } from './language'
import { texts, wordOf } from './text'

/** Every sentence of a catalogue with its path; those with places in them are given some. */
function sentences(node: unknown, path = ''): [string, string][] {
  if (typeof node === 'string') return [[path, node]]
  if (typeof node === 'function') return [[path, String((node as (...args: unknown[]) => unknown)(7, 7))]]
  return Object.entries(node as object).flatMap(([key, value]) => sentences(value, `${path}.${key}`))
}

describe('catalogues', () => {
  it('have the same keys, and no empty sentence', () => {
    const zh = sentences(texts.zh)
    const en = sentences(texts.en)
    expect(en.map(([path]) => path).sort()).toEqual(zh.map(([path]) => path).sort())
    expect([...zh, ...en].filter(([, sentence]) => !sentence.trim())).toEqual([])
  })

  it('are each in their own language', () => {
    expect(sentences(texts.en).filter(([, sentence]) => /\p{Script=Han}/u.test(sentence))).toEqual([])
    const plain = new Set(['.common.none', '.common.inLanguage', '.generate.countHint', '.generate.progress', '.keys.seats', '.batches.usedOf', '.restoreDoor.sent'])
    const foreign = sentences(texts.zh).filter(([path, sentence]) => !plain.has(path) && !/\p{Script=Han}/u.test(sentence))
    expect(foreign).toEqual([])
  })

  it('give an unknown word back as it is', () => {
    expect(wordOf(texts.zh.keys.states, 'active')).toBe('已激活')
    expect(wordOf(texts.zh.keys.states, 'frozen')).toBe('frozen')
    expect(wordOf(texts.zh.keys.states, 'constructor')).toBe('constructor')
  })
})

describe('the first language', () => {
  it.each([
    ['en', ['zh-CN'], 'en'],
    [null, ['zh-TW', 'en'], 'zh'],
    [null, ['en-GB'], 'en'],
    [null, ['fr', 'en-US'], 'en'],
    [null, ['fr'], 'zh'],
    ['fr', [], 'zh'],
  ])('chosen %j, browser %j: %s', (chosen, browser, first) => expect(firstLanguage(chosen, browser)).toBe(first))
})

describe('formats', () => {
  const now = Date.parse('2026-11-23T14:00:00Z')
  it('say how long ago in words, and older times as dates', () => {
    const { ago } = formatFor('en')
    expect(ago('2026-11-23T13:59:50Z', now)).toBe('now')
    expect(ago('2026-11-23T13:30:00Z', now)).toBe('30 minutes ago')
    expect(ago('2026-11-20T14:00:00Z', now)).toBe('3 days ago')
    expect(ago('2026-10-01T14:00:00Z', now)).toContain('2026')
    expect(formatFor('zh').ago('2026-11-23T12:00:00Z', now)).toBe('2小时前')
  })

  it('have a dash for what is not there', () => {
    const { ago, dateTime } = formatFor('zh')
    for (const nothing of [null, undefined, '', 'yesterday']) {
      expect(ago(nothing)).toBe('—')
      expect(dateTime(nothing)).toBe('—')
    }
  })

  it('count bytes in units', () => {
    const { bytes } = formatFor('en')
    expect([512, 2048, 1_572_864].map(bytes)).toEqual(['512 B', '2 KB', '1.5 MB'])
  })
})

describe('the vendor’s texts', () => {
  it('fall back to the other language', () => {
    expect(pickText({ zh: '剪辑', en: 'Cut' }, 'en')).toBe('Cut')
    expect(pickText({ zh: '剪辑', en: '' }, 'en')).toBe('剪辑')
    expect(pickText(null, 'en')).toBe('')
  })
})
