import { expect, it } from 'vitest'
import { texts } from '../i18n/text'
import { spanText } from './span'

it.each([
  [0, '0 秒', '0 seconds'],
  [1, '1 秒', '1 second'],
  [14.9, '14 秒', '14 seconds'],
  [60, '60 秒', '60 seconds'],
  [119, '119 秒', '119 seconds'],
  [120, '2 分钟', '2 minutes'],
  [3599, '59 分钟', '59 minutes'],
  [7199, '119 分钟', '119 minutes'],
  [7200, '2 小时', '2 hours'],
  [-5, '0 秒', '0 seconds'],
])('%f seconds are %s, never more than they are', (seconds, zh, en) => {
  expect(spanText(seconds, texts.zh.span)).toBe(zh)
  expect(spanText(seconds, texts.en.span)).toBe(en)
})
