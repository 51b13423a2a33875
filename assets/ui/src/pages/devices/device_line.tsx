import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import type { Device } from '../../api/devices'
import { Presence } from './presence'

/** One device in two lines, for use inside other details. */
export function DeviceLine({ device }: { device: Device }) {
  const text = useText()
  const format = useFormat()
  return (
    <li className="pinned">
      <div className="row spread">
        <code className="break">{device.device_id}</code>
        <Presence device={device} />
      </div>
      <span className="faint small">
        {[device.platform, device.version, device.address, `${text.devices.lastSeen} ${format.ago(device.last_seen)}`].filter(Boolean).join(' · ')}
      </span>
    </li>
  )
}
