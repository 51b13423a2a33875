import { PlusOutlined } from '../../parts/icons'
import { Button } from 'antd'
import { useState } from 'react'
import { useText } from '../../i18n/text'
import { useAppNames } from '../../parts/app_names'
import { useCan } from '../../parts/can'
import { useFilters } from '../../parts/filters'
import { Page } from '../../parts/page'
import { CardList } from './card_list'
import { Generate } from './generate'

export default function Keys() {
  const text = useText()
  const [open, setOpen] = useState(false)
  const mayGenerate = useCan('batches:write')
  const { none } = useAppNames()
  const [{ app }] = useFilters(['app'])
  return (
    <Page
      title={text.keys.title}
      intro={text.keys.intro}
      actions={
        mayGenerate && (
          <Button type="primary" icon={<PlusOutlined />} disabled={none} title={none ? text.keys.needApp : undefined} onClick={() => setOpen(true)}>
            {text.generate.title}
          </Button>
        )
      }
    >
      <CardList generate={() => setOpen(true)} />
      <Generate open={open} close={() => setOpen(false)} appId={app || undefined} />
    </Page>
  )
}
