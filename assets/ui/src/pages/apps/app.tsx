import { Button, Tabs } from 'antd'
import { useState } from 'react'
import { useParams, useSearchParams } from 'react-router'
import { useApp, type App } from '../../api/apps'
import { usePickText } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useCan } from '../../parts/can'
import { Page } from '../../parts/page'
import { Loaded } from '../../parts/state'
import { CardList } from '../keys/card_list'
import { Generate } from '../keys/generate'
import { Connect } from './connect'
import { Overview } from './overview'
import { PolicyForm } from './policy_form'

export default function AppPage() {
  const { id = '' } = useParams()
  return <Loaded query={useApp(id)}>{(app) => <One key={app.id} app={app} />}</Loaded>
}

function One({ app }: { app: App }) {
  const text = useText()
  const pick = usePickText()
  const [params, setParams] = useSearchParams()
  const [open, setOpen] = useState(false)
  const mayGenerate = useCan('batches:write')
  const tab = params.get('tab') ?? 'overview'
  return (
    <Page
      title={pick(app.name)}
      intro={pick(app.description)}
      back={{ to: '/apps', label: text.apps.title }}
      actions={
        mayGenerate && (
          <Button type="primary" onClick={() => setOpen(true)}>
            {text.generate.title}
          </Button>
        )
      }
    >
      <Tabs
        activeKey={tab}
        onChange={(next) => setParams({ tab: next }, { replace: true })}
        destroyOnHidden
        items={[
          { key: 'overview', label: text.apps.tabs.overview, children: <Overview app={app} /> },
          { key: 'policy', label: text.apps.tabs.policy, children: <PolicyForm app={app} /> },
          { key: 'connect', label: text.apps.tabs.connect, children: <Connect app={app} generate={() => setOpen(true)} /> },
          { key: 'keys', label: text.apps.tabs.keys, children: <CardList appId={app.id} generate={() => setOpen(true)} /> },
        ]}
      />
      <Generate open={open} close={() => setOpen(false)} appId={app.id} />
    </Page>
  )
}
