/**
 * Whether what was typed can be a card key, by the rule of protocol §5: full-width forms become plain,
 * blanks, zero-width characters and dashes of every kind are dropped; 16 of 0–9 A–Z must remain.
 * The server decides; this only spares it a question.
 */
export function looksLikeCardKey(typed: string): boolean {
  const plain = typed
    .replace(/[\uFF01-\uFF5E]/g, (char) => String.fromCharCode(char.charCodeAt(0) - 0xfee0))
    .replace(/[\s\p{Pd}\p{Cf}\u2212]/gu, '')
  return /^[0-9A-Za-z]{16}$/.test(plain)
}
