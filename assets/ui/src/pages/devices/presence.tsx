import type { Device } from '../../api/devices'
import { useText } from '../../i18n/text'
import { Dot } from '../../parts/dot'

/** Whether a device is online, or its binding is over. */
export function Presence({ device }: { device: Device }) {
  const text = useText()
  const word = device.state === 'ended' ? text.devices.bindingOf.ended : device.online ? text.devices.online : text.devices.offline
  return (
    <span className="row nowrap presence" data-online={device.online}>
      <Dot mood={device.online && device.state !== 'ended' ? 'good' : 'calm'} />
      {word}
    </span>
  )
}
