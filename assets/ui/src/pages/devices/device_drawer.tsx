import { Drawer } from 'antd'
import { Link } from 'react-router'
import { useDevice, type Device } from '../../api/devices'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useAppNames } from '../../parts/app_names'
import { Copyable } from '../../parts/copy'
import { Loaded } from '../../parts/state'
import { Presence } from './presence'

/** All about one device. Open while an id is given. */
export function DeviceDrawer({ id, close }: { id: string; close: () => void }) {
  const text = useText()
  return (
    <Drawer open={id !== ''} onClose={close} size={480} title={text.devices.detailTitle} closable={{ 'aria-label': text.common.close }} destroyOnHidden>
      {id !== '' && <Detail id={id} />}
    </Drawer>
  )
}

function Detail({ id }: { id: string }) {
  const query = useDevice(id)
  return <Loaded query={query}>{(device) => <Facts device={device} />}</Loaded>
}

function Facts({ device }: { device: Device }) {
  const text = useText()
  const words = text.devices
  const format = useFormat()
  const { nameOf } = useAppNames()
  return (
    <dl className="facts">
      <dt>{text.common.state}</dt>
      <dd>
        <Presence device={device} />
      </dd>
      <dt>{words.deviceId}</dt>
      <dd>
        <Copyable value={device.device_id} what={words.deviceId} />
      </dd>
      <dt>{words.app}</dt>
      <dd>
        <Link to={`/apps/${device.app_id}`}>{nameOf(device.app_id)}</Link>
      </dd>
      <dt>{words.key}</dt>
      <dd className="row">
        <code>{device.card_key_masked}</code>
        <Link to={`/keys?card=${device.card_id}`}>{words.viewCard}</Link>
      </dd>
      <dt>{words.account}</dt>
      <dd>{device.account?.username ?? text.common.none}</dd>
      <dt>{words.platform}</dt>
      <dd>{device.platform || text.common.none}</dd>
      <dt>{words.version}</dt>
      <dd>{device.version || text.common.none}</dd>
      <dt>{words.address}</dt>
      <dd>{device.address || text.common.none}</dd>
      <dt>{words.firstSeen}</dt>
      <dd>{format.dateTime(device.first_seen)}</dd>
      <dt>{words.lastSeen}</dt>
      <dd>{format.dateTime(device.last_seen)}</dd>
    </dl>
  )
}
