import { Select } from 'antd'

interface FilterSelectProps {
  label: string
  any: string
  value: string
  options: { value: string; label: string }[]
  choose: (value: string) => void
  loading?: boolean
}

/** A choice that narrows a list; the first one, '', is everything. */
export function FilterSelect({ label, any, value, options, choose, loading }: FilterSelectProps) {
  return (
    <Select
      aria-label={label}
      value={value}
      onChange={choose}
      loading={loading}
      showSearch={options.length > 8 ? { optionFilterProp: 'label' } : false}
      popupMatchSelectWidth={false}
      options={[{ value: '', label: any }, ...options]}
    />
  )
}
