import { Badge, Button } from 'antd'
import { Link, useNavigate } from 'react-router'
import { useDevices, type Device } from '../../api/devices'
import { useReceiptsWaiting } from '../../api/receipts'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useAppNames } from '../../parts/app_names'
import { useCan } from '../../parts/can'
import { useCursor } from '../../parts/cursor'
import { FilterSelect } from '../../parts/filter_select'
import { useFilters } from '../../parts/filters'
import { Listing, type Column } from '../../parts/listing'
import { Page } from '../../parts/page'
import { Pager } from '../../parts/pager'
import { Loaded, Nothing } from '../../parts/state'
import { DeviceDrawer } from './device_drawer'
import { Presence } from './presence'

export default function Devices() {
  const text = useText()
  const words = text.devices
  const apps = useAppNames()
  const [filters, setFilters] = useFilters(['app', 'online', 'device'])
  const cursor = useCursor(JSON.stringify([filters.app, filters.online]))
  const online = filters.online === '' ? undefined : filters.online === 'true'
  const query = useDevices({ app_id: filters.app, online, cursor: cursor.at })
  const open = (device: Device) => setFilters({ device: device.id })
  const columns = useDeviceColumns(open)
  return (
    <Page title={words.title} intro={words.intro} actions={<ToReceipts />}>
      <section className="sheet">
        <div className="filters">
          <FilterSelect
            label={text.keys.filterApp}
            any={text.keys.anyApp}
            value={filters.app}
            options={apps.options}
            loading={apps.loading}
            choose={(app) => setFilters({ app })}
          />
          <FilterSelect
            label={words.filterOnline}
            any={words.any}
            value={filters.online}
            options={[
              { value: 'true', label: words.online },
              { value: 'false', label: words.offline },
            ]}
            choose={(value) => setFilters({ online: value })}
          />
        </div>
        <Loaded query={query}>
          {(page) =>
            page.items.length === 0 && !page.next ? (
              <NoDevices filtered={Boolean(filters.app || filters.online)} clear={() => setFilters({ app: '', online: '' })} />
            ) : (
              <>
                <Listing label={words.title} rows={page.items} columns={columns} open={open} busy={query.isPlaceholderData} />
                <Pager cursor={cursor} next={page.next} />
              </>
            )
          }
        </Loaded>
      </section>
      <DeviceDrawer id={filters.device} close={() => setFilters({ device: '' })} />
    </Page>
  )
}

/** The way to the licences that devices showed after a restore; their number where some wait. */
function ToReceipts() {
  const words = useText().receipts
  const waiting = useReceiptsWaiting()
  const may = useCan('receipts:read')
  if (!may) return null
  return (
    <Link to="/receipts" className="side-link">
      <Badge count={waiting} size="small" offset={[6, -2]}>
        {words.link}
      </Badge>
    </Link>
  )
}

function NoDevices({ filtered, clear }: { filtered: boolean; clear: () => void }) {
  const text = useText()
  const navigate = useNavigate()
  if (filtered) {
    return (
      <Nothing
        title={text.devices.noneFound}
        hint={text.devices.noneFoundHint}
        action={<Button onClick={clear}>{text.common.clear}</Button>}
      />
    )
  }
  return (
    <Nothing
      title={text.devices.empty}
      hint={text.devices.emptyHint}
      action={
        <Button type="primary" onClick={() => void navigate('/start')}>
          {text.devices.howToConnect}
        </Button>
      }
    />
  )
}

function useDeviceColumns(open: (device: Device) => void): Column<Device>[] {
  const text = useText()
  const words = text.devices
  const format = useFormat()
  const { nameOf } = useAppNames()
  return [
    {
      key: 'device',
      title: words.device,
      role: 'heading',
      render: (device) => (
        <button type="button" className="link-button mono" title={device.device_id} onClick={() => open(device)}>
          {device.device_id.slice(0, 12)}
        </button>
      ),
    },
    { key: 'online', title: text.common.state, render: (device) => <Presence device={device} /> },
    { key: 'app', title: words.app, clip: true, render: (device) => nameOf(device.app_id) },
    { key: 'key', title: words.key, render: (device) => <code className="nowrap">{device.card_key_masked}</code> },
    { key: 'account', title: words.account, clip: true, render: (device) => device.account?.username },
    { key: 'platform', title: words.platform, clip: true, render: (device) => device.platform },
    { key: 'version', title: words.version, render: (device) => device.version },
    { key: 'address', title: words.address, render: (device) => device.address },
    {
      key: 'seen',
      title: words.lastSeen,
      render: (device) => (
        <time className="nowrap" dateTime={device.last_seen ?? undefined} title={format.dateTime(device.last_seen)}>
          {format.ago(device.last_seen)}
        </time>
      ),
    },
  ]
}
