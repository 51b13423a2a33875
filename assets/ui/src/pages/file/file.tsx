import { useText } from '../../i18n/text'
import { useCan } from '../../parts/can'
import { Page } from '../../parts/page'
import { DataFileSheet } from './data_file'
import { KeyringSheets } from './keyring'

/** The data file and what opens it. */
export default function DataFile() {
  const text = useText()
  return (
    <Page title={text.file.title} intro={text.file.intro}>
      <div className="stack">
        <DataFileSheet />
        {useCan('keyring:read') && <KeyringSheets />}
      </div>
    </Page>
  )
}
