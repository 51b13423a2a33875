import type { Announcement } from '../../api/announcements'
import type { VendorText } from '../../api/apps'
import { usePickText } from '../../i18n/format'
import { useText, wordOf } from '../../i18n/text'

interface PreviewProps {
  title?: VendorText
  body?: VendorText
  type?: Announcement['type']
}

/** What customers will see: plain text with its line breaks, nothing of it is read as markup. */
export function Preview({ title, body, type }: PreviewProps) {
  const words = useText().announcements
  const pick = usePickText()
  const empty = !pick(title) && !pick(body)
  return (
    <section aria-label={words.preview}>
      <h3 className="sheet-title">{words.preview}</h3>
      <div className="preview">
        {empty ? (
          <p className="faint">{words.previewEmpty}</p>
        ) : (
          <>
            <span className="tag">{wordOf(words.types, type ?? 'notice')}</span>
            <h3>{pick(title)}</h3>
            <p className="preview-body">{pick(body)}</p>
          </>
        )}
      </div>
    </section>
  )
}
