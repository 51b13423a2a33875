import { describe, expect, it } from 'vitest'
import { strengthOf, type Advice, type Level } from './strength'

const names = ['xiaoyu', 'chen.lei@koi-pond.cn']

describe('the strength of a password', () => {
  it.each<[string, Level, Advice[]]>([
    // known ones, and walks over the keyboard, with the shift and without
    ['password', 'weak', ['common', 'longer']],
    ['P@ssw0rd', 'weak', ['common', 'longer']],
    ['admin1314159', 'weak', ['common']],
    ['1qaz2wsx', 'weak', ['walk', 'longer']],
    ['1qaz@WSX', 'weak', ['walk', 'longer']],
    ['!QAZ2wsx#EDC4rfv', 'weak', ['walk']],
    ['1qazXSW@3edcVFR$', 'fair', ['walk']],
    ['Qwertyuiop1!Asdf', 'fair', ['walk']],
    // what is typed in China
    ['woaini1314', 'weak', ['common', 'longer']],
    ['Woaini1314!', 'weak', ['common', 'longer']],
    ['5201314', 'weak', ['sequence', 'longer']],
    ['Woaini5201314!', 'fair', ['common']],
    ['Zhang-Wei-1988', 'fair', ['pinyin', 'date']],
    ['LiXiaoming2008!', 'fair', ['pinyin', 'date']],
    ['Liuyifei@1314520', 'fair', ['pinyin', 'sequence']],
    ['Ouyangnana#2000', 'fair', ['pinyin', 'date']],
    ['Zhongguo#2026', 'fair', ['common', 'date']],
    // the account's own
    ['Xiaoyu2026', 'weak', ['names', 'date']],
    ['Xiaoyu-2026-xx', 'fair', ['names']],
    ['Chen-Lei-2026!', 'fair', ['pinyin', 'date']],
    ['Koi-Pond-cn-2026', 'good', ['names', 'date']],
    // patterns
    ['Aa123456!Aa123456!', 'weak', ['repeat']],
    ['Abcdefgh-12345678', 'fair', ['sequence']],
    ['aaaaaaaaaaaaaaaaaaaa', 'weak', ['repeat']],
    // words and chance
    ['Kind-Carp-2026', 'good', ['date']],
    ['tQ7#vLm2', 'fair', ['longer']],
    ['tQ7#vLm2xR!', 'fair', ['longer']], // by chance, and still one short of twelve
    ['tQ7#vLm2xR!p', 'strong', []],
    ['Purple-Tractor-91-Violin', 'strong', []],
    ['correct horse battery staple', 'strong', []],
  ])('judges %j as %s', (password, level, advice) => {
    expect(strengthOf(password, names)).toEqual({ level, advice })
  })

  it('takes what is absurdly long without much ado', () => {
    const begun = performance.now()
    expect(strengthOf('p@$$w0rd1!|'.repeat(1000), names).advice).toContain('repeat')
    strengthOf('a4@s5$e3i1!|o0z2g9'.repeat(5), names)
    strengthOf('zhuangshuang'.repeat(1000), names)
    expect(performance.now() - begun).toBeLessThan(5000)
  })

  it('says of an empty one that it is weak', () => expect(strengthOf('', [])).toEqual({ level: 'weak', advice: ['longer'] }))
})
