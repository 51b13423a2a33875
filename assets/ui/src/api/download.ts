/** The file name that the server proposes, or undefined. Path parts are dropped. */
export function proposedName(disposition: string | null): string | undefined {
  if (!disposition) return undefined
  const extended = /filename\*\s*=\s*UTF-8''([^;]+)/i.exec(disposition)?.[1]
  let name = /filename\s*=\s*(?:"([^"]*)"|([^;]+))/i.exec(disposition)?.slice(1).find(Boolean)?.trim()
  if (extended) {
    try {
      name = decodeURIComponent(extended.trim())
    } catch {
      // a broken escape: the plain name stays
    }
  }
  return name?.split(/[\\/]/).pop() || undefined
}

/** Hands an answer of the server to the browser as a file. */
export async function download(answer: Response, fallbackName: string): Promise<void> {
  const name = proposedName(answer.headers.get('Content-Disposition')) ?? fallbackName
  save(await answer.blob(), name)
}

/** Hands text or bytes to the browser as a file. */
export function save(content: Blob, name: string): void {
  const link = document.createElement('a')
  const url = URL.createObjectURL(content)
  link.href = url
  link.download = name
  document.body.append(link)
  link.click()
  link.remove()
  // The browser has taken the file by the next turn at the latest; a minute is generous.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
