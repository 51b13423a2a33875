import { describe, expect, it } from 'vitest'
import { proposedName } from './download'

describe('proposedName', () => {
  it('prefers the extended name and takes no path', () => {
    expect(proposedName(`attachment; filename="keys.csv"; filename*=UTF-8''%E5%8D%A1%E5%AF%86.csv`)).toBe('卡密.csv')
    expect(proposedName('attachment; filename="../../etc/passwd"')).toBe('passwd')
    expect(proposedName('attachment; filename=keys.csv')).toBe('keys.csv')
  })

  it('falls back where nothing good is proposed', () => {
    expect(proposedName(null)).toBeUndefined()
    expect(proposedName('attachment')).toBeUndefined()
    expect(proposedName(`attachment; filename="keys.csv"; filename*=UTF-8''%E5%8`)).toBe('keys.csv')
  })
})
