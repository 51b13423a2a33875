import { LeftOutlined, RightOutlined } from './icons'
import { Button, Select } from 'antd'
import { useText } from '../i18n/text'
import type { Cursor } from './cursor'

interface PagerProps {
  cursor: Cursor
  next: string
  size?: { value: number; choose: (size: number) => void }
}

/** Previous and next. Nothing where there is one page only. */
export function Pager({ cursor, next, size }: PagerProps) {
  const text = useText()
  if (cursor.page === 1 && !next && (!size || size.value === 50)) return null
  return (
    <nav className="pager" aria-label={text.common.pageNumber(cursor.page)}>
      {size && (
        <Select
          aria-label={text.common.perPage}
          value={size.value}
          onChange={size.choose}
          options={[50, 100, 200].map((value) => ({ value, label: text.common.perPageOf(value) }))}
        />
      )}
      <Button icon={<LeftOutlined />} aria-label={text.common.previous} disabled={cursor.page === 1} onClick={cursor.backward} />
      <span aria-live="polite">{text.common.pageNumber(cursor.page)}</span>
      <Button icon={<RightOutlined />} aria-label={text.common.next} disabled={!next} onClick={() => cursor.forward(next)} />
    </nav>
  )
}
