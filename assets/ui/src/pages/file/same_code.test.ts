import { expect, it } from 'vitest'
import { sameCode } from './same_code'

const code = 'K7QHD-9XM2V-3RT5W-8YB4N-6PJ0C-1FGZE-2AS'

it.each([
  [code, true],
  ['k7qhd 9xm2v 3rt5w 8yb4n 6pj0c 1fgze 2as', true],
  ['K7QHD9XM2V3RT5W8YB4N6PJOCIFGZE2AS', true],
  ['Ｋ７ＱＨＤ－９ＸＭ２Ｖ－３ＲＴ５Ｗ－８ＹＢ４Ｎ－６ＰＪ０Ｃ－１ＦＧＺＥ－２ＡＳ', true],
  [`  ${code}\u200b\n`, true],
  [code.slice(0, -1), false],
  [code.replace('9', '8'), false],
  ['', false],
])('compares %j', (typed, same) => expect(sameCode(typed, code)).toBe(same))

it('takes no code for none', () => expect(sameCode(' - ', '')).toBe(false))
