import { useId } from 'react'
import { useText } from '../../i18n/text'
import { presetDays, presets, type Preset } from '../../parts/validity'

interface PresetChoiceProps {
  /** Given by the form. */
  id?: string
  value?: Preset
  onChange?: (value: Preset) => void
}

/** The named validities as large radio buttons. */
export function PresetChoice({ id, value, onChange }: PresetChoiceProps) {
  const text = useText()
  const words = text.generate
  const group = useId()
  return (
    <div className="presets" role="radiogroup" id={id} aria-label={words.validity}>
      {presets.map((preset) => {
        const days = presetDays[preset]
        return (
          <label key={preset} className={preset === value ? 'preset on' : 'preset'}>
            <input type="radio" name={group} value={preset} checked={preset === value} onChange={() => onChange?.(preset)} />
            {words.presets[preset]}
            {days !== undefined && <small>{words.presetDays(days)}</small>}
          </label>
        )
      })}
    </div>
  )
}
