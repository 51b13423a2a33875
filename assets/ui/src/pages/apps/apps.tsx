import { PlusOutlined } from '../../parts/icons'
import { Button } from 'antd'
import { useState } from 'react'
import { Link, useNavigate } from 'react-router'
import { useApps, type App } from '../../api/apps'
import { useFormat, usePickText } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useCan } from '../../parts/can'
import { Dot } from '../../parts/dot'
import { Page } from '../../parts/page'
import { Loaded, Nothing } from '../../parts/state'
import { Tag } from '../../parts/tags'
import { AppForm } from './app_form'

export default function Apps() {
  const text = useText()
  const navigate = useNavigate()
  const [open, setOpen] = useState(false)
  const create = useCan('apps:write') && (
    <Button type="primary" icon={<PlusOutlined />} onClick={() => setOpen(true)}>
      {text.apps.create}
    </Button>
  )
  return (
    <Page title={text.apps.title} intro={text.apps.intro} actions={create}>
      <Loaded query={useApps()}>
        {(page) =>
          page.items.length === 0 ? (
            <div className="sheet">
              <Nothing title={text.apps.empty} hint={text.apps.emptyHint} action={create} />
            </div>
          ) : (
            <div className="grid apps">
              {page.items.map((app) => (
                <AppCard key={app.id} app={app} />
              ))}
            </div>
          )
        }
      </Loaded>
      <AppForm open={open} close={() => setOpen(false)} made={(app) => void navigate(`/apps/${app.id}`)} />
    </Page>
  )
}

function AppCard({ app }: { app: App }) {
  const text = useText()
  const pick = usePickText()
  const { number } = useFormat()
  return (
    <Link className="app-card" to={`/apps/${app.id}`}>
      <div className="row spread">
        <span className="app-card-name">{pick(app.name)}</span>
        <Tag state={app.state} words={{ enabled: text.apps.enabled, disabled: text.apps.disabled }} />
      </div>
      <p>{pick(app.description) || text.apps.noDescription}</p>
      <div className="app-card-foot">
        <span>{text.apps.cardsOf(number(app.cards.total))}</span>
        <span>{text.apps.unusedOf(number(app.cards.unused))}</span>
        <span className="row">
          <Dot mood={app.devices.online > 0 ? 'good' : 'calm'} />
          {text.apps.onlineOf(number(app.devices.online))}
        </span>
      </div>
    </Link>
  )
}
