/** The rules for passwords (AU4), in the order in which they are shown. */
export const passwordRules = ['length', 'lower', 'upper', 'digit', 'special', 'bytes', 'name'] as const

export type PasswordRule = (typeof passwordRules)[number]

/**
 * For each rule whether the password meets it; an empty one meets none. `names` are the account's user
 * name and e-mail address, which a password must not contain; those under three bytes do not count.
 * `bytes` counts UTF-8, because bcrypt takes no more than 72. The server judges in the end.
 */
export function judgePassword(password: string, names: readonly string[]): Record<PasswordRule, boolean> {
  const plain = password.normalize('NFC')
  const low = plain.toLowerCase()
  const named = names.some((name) => byteLength(name) >= 3 && low.includes(name.normalize('NFC').toLowerCase()))
  return {
    length: [...plain].length >= 8,
    lower: /[a-z]/.test(plain),
    upper: /[A-Z]/.test(plain),
    digit: /[0-9]/.test(plain),
    special: /[^a-zA-Z0-9\p{Cc}]/u.test(plain),
    bytes: plain !== '' && byteLength(plain) <= 72,
    name: plain !== '' && !named,
  }
}

export function isStrong(password: string, names: readonly string[]): boolean {
  return Object.values(judgePassword(password, names)).every(Boolean)
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length
}
