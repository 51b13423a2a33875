import { Checkbox } from 'antd'
import type { MouseEvent, ReactNode } from 'react'
import { useText } from '../i18n/text'

export interface Column<T> {
  key: string
  title: string
  /** Nothing ('' or null) is shown as a dash, and left out on a narrow screen. */
  render: (row: T) => ReactNode
  /** `heading`: the card's first line on a narrow screen. `bare`: no column name there. */
  role?: 'heading' | 'bare'
  end?: boolean
  /** Text of the vendor's that may be long: cut off on a wide screen. */
  clip?: boolean
}

export interface Choice<T> {
  chosen: ReadonlySet<string>
  name: (row: T) => string
  toggle: (rows: T[], on: boolean) => void
}

interface ListingProps<T> {
  label: string
  rows: T[]
  columns: Column<T>[]
  choice?: Choice<T>
  /** Opens a row's details; a button in the row must do the same for the keyboard. */
  open?: (row: T) => void
  busy?: boolean
}

/**
 * A table on a wide screen, cards on a narrow one, from the same elements. The roles are written
 * out because a table that is displayed as blocks loses them.
 */
export function Listing<T extends { id: string }>({ label, rows, columns, choice, open, busy }: ListingProps<T>) {
  const text = useText()
  const chosenHere = choice ? rows.filter((row) => choice.chosen.has(row.id)).length : 0
  const openBy = (row: T) => (event: MouseEvent<HTMLTableRowElement>) => {
    const target = event.target as HTMLElement
    if (!target.closest('a, button, input, label') && !window.getSelection()?.toString()) open?.(row)
  }
  return (
    <div className={busy ? 'listing-scroll listing-busy' : 'listing-scroll'} aria-busy={busy}>
      <table className="listing" role="table" aria-label={label}>
        <thead role="rowgroup">
          <tr role="row">
            {choice && (
              <th role="columnheader" className="pick">
                <Checkbox
                  aria-label={text.keys.selectAll}
                  checked={rows.length > 0 && chosenHere === rows.length}
                  indeterminate={chosenHere > 0 && chosenHere < rows.length}
                  onChange={(event) => choice.toggle(rows, event.target.checked)}
                />
              </th>
            )}
            {columns.map((column) => (
              <th key={column.key} role="columnheader" className={column.end ? 'end' : undefined}>
                {column.role === 'bare' ? <span className="visually-hidden">{column.title}</span> : column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr key={row.id} role="row" className={rowClass(row, choice, open)} onClick={open && openBy(row)}>
              {choice && (
                <td role="cell" className="pick">
                  <Checkbox
                    aria-label={text.keys.select(choice.name(row))}
                    checked={choice.chosen.has(row.id)}
                    onChange={(event) => choice.toggle([row], event.target.checked)}
                  />
                </td>
              )}
              {columns.map((column) => (
                <Cell key={column.key} column={column} content={column.render(row)} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Cell<T>({ column, content }: { column: Column<T>; content: ReactNode }) {
  const text = useText()
  const nothing = content === '' || content === null || content === undefined || content === false
  const names = [column.role, column.end && 'end', nothing && 'void']
  return (
    <td role="cell" data-label={column.title} className={names.filter(Boolean).join(' ')}>
      <div className={column.clip ? 'clip' : undefined}>{nothing && column.role !== 'bare' ? text.common.none : content}</div>
    </td>
  )
}

function rowClass<T extends { id: string }>(row: T, choice?: Choice<T>, open?: (row: T) => void): string {
  const names = []
  if (open) names.push('opens')
  if (choice) names.push('pickable')
  if (choice?.chosen.has(row.id)) names.push('chosen')
  return names.join(' ')
}

