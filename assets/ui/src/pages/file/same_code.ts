/** Whether two recovery codes are the same, however they were typed: blanks, dashes and case do not count. */
export function sameCode(a: string, b: string): boolean {
  return plain(a) !== '' && plain(a) === plain(b)
}

/** As the server reads a code: full-width forms are plain, O is 0, I and L are 1. */
function plain(code: string): string {
  return code
    .normalize('NFKC')
    .replace(/[\s\p{Pd}\p{Cf}\u2212]/gu, '')
    .toUpperCase()
    .replace(/O/g, '0')
    .replace(/[IL]/g, '1')
}
