import { AppstoreOutlined, CheckCircleOutlined, DesktopOutlined, KeyOutlined, ReloadOutlined, TeamOutlined } from '../../parts/icons'
import { Button, Skeleton } from 'antd'
import { Suspense, lazy, type ReactNode } from 'react'
import { Link } from 'react-router'
import { useDashboard, type Dashboard as Data } from '../../api/dashboard'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { Happenings } from '../../parts/happenings'
import { useHidden } from '../../parts/hidden'
import { Page } from '../../parts/page'
import { Loaded, Nothing } from '../../parts/state'
import { Guide } from '../start/guide'
import { CardBars } from './card_bars'
import { Notices } from './notices'
import { System } from './system'

const ActivationChart = lazy(() => import('./activation_chart'))

export default function Dashboard() {
  const text = useText()
  const query = useDashboard()
  return (
    <Page
      title={text.dashboard.title}
      intro={text.dashboard.intro}
      actions={
        <Button icon={<ReloadOutlined />} loading={query.isFetching} onClick={() => void query.refetch()}>
          {text.common.refresh}
        </Button>
      }
    >
      <Loaded query={query} waiting={<TileSkeletons />}>
        {(data) => <Overview data={data} />}
      </Loaded>
    </Page>
  )
}

function Overview({ data }: { data: Data }) {
  const format = useFormat()
  const [hidden, hide] = useHidden('guide_hidden')
  const { app, keys, connected } = data.steps
  return (
    <div className="stack">
      <Notices />
      {!hidden && !(app && keys && connected) && <Guide steps={data.steps} hide={hide} />}
      <Tiles data={data} />
      <div className="grid two">
        <div className="stack">
          <Activations days={data.activations} />
          <Recent events={data.recent} />
        </div>
        <div className="stack">
          <CardStates cards={data.cards} />
          <System format={format} />
        </div>
      </div>
    </div>
  )
}

function CardStates({ cards }: { cards: Data['cards'] }) {
  const text = useText()
  return (
    <section className="sheet pad" aria-labelledby="card-states">
      <h2 className="sheet-title gap" id="card-states">
        {text.dashboard.cardStates}
      </h2>
      {cards.total === 0 ? (
        <Nothing small title={text.dashboard.noCards} hint={text.dashboard.noCardsHint} />
      ) : (
        <CardBars cards={cards} />
      )}
    </section>
  )
}

function Recent({ events }: { events: Data['recent'] }) {
  const text = useText()
  return (
    <section className="sheet pad" aria-labelledby="recent">
      <h2 className="sheet-title" id="recent">
        {text.dashboard.recent}
      </h2>
      {events.length === 0 ? <Nothing small title={text.dashboard.noRecent} /> : <Happenings events={events.slice(0, 10)} />}
    </section>
  )
}

function Tiles({ data }: { data: Data }) {
  const text = useText()
  const { number } = useFormat()
  return (
    <div className="grid tiles">
      <Tile to="/apps" icon={<AppstoreOutlined />} name={text.dashboard.apps} value={number(data.apps)} />
      <Tile
        to="/keys?state=unused"
        icon={<KeyOutlined />}
        name={text.dashboard.unused}
        value={number(data.cards.unused)}
        note={text.dashboard.totalOf(number(data.cards.total))}
      />
      <Tile to="/keys?state=active" icon={<CheckCircleOutlined />} name={text.dashboard.active} value={number(data.cards.active)} />
      <Tile
        to="/devices?online=true"
        icon={<DesktopOutlined />}
        name={text.dashboard.online}
        value={number(data.devices.online)}
        note={text.dashboard.onlineOf(number(data.devices.bound))}
      />
      <Tile to="/accounts" icon={<TeamOutlined />} name={text.dashboard.accounts} value={number(data.accounts)} />
    </div>
  )
}

function Tile({ to, icon, name, value, note }: { to: string; icon: ReactNode; name: string; value: string; note?: string }) {
  return (
    <Link className="tile" to={to}>
      <span className="tile-name">
        {icon}
        {name}
      </span>
      <div className="tile-number">{value}</div>
      {note && <div className="tile-note">{note}</div>}
    </Link>
  )
}

function Activations({ days }: { days: Data['activations'] }) {
  const text = useText()
  const format = useFormat()
  const total = format.number(days.reduce((sum, day) => sum + day.count, 0))
  return (
    <section className="sheet pad" aria-labelledby="activations">
      <div className="row spread">
        <h2 className="sheet-title" id="activations">
          {text.dashboard.activations}
        </h2>
        <span className="faint small">{text.dashboard.activationsTotal(total)}</span>
      </div>
      {total === '0' ? (
        <Nothing small title={text.dashboard.noActivations} hint={text.dashboard.noActivationsHint} />
      ) : (
        <Suspense fallback={<div className="chart" />}>
          <ActivationChart days={days} label={text.dashboard.activationsChart(total)} countName={text.dashboard.count} />
        </Suspense>
      )}
    </section>
  )
}

function TileSkeletons() {
  return (
    <div className="grid tiles">
      {[1, 2, 3, 4, 5].map((n) => (
        <div className="tile" key={n}>
          <Skeleton active title={false} paragraph={{ rows: 2 }} />
        </div>
      ))}
    </div>
  )
}
