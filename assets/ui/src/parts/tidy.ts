import type { VendorText } from '../api/apps'

/** The vendor's text without blanks at the ends; a language that was left empty is sent as ''. */
export function tidy(value: VendorText | undefined): Required<VendorText> {
  return { zh: value?.zh?.trim() ?? '', en: value?.en?.trim() ?? '' }
}
