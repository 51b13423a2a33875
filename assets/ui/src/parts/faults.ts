import type { FormInstance } from 'antd'
import { Fault } from '../api/wire'

/**
 * Which of a form's fields a server's field name means: itself, the first of its members (`name` is
 * shown at `name.zh`), or its parent (`validity.seconds` at `validity`). Undefined: none of them.
 */
export function placeOf(field: string, names: readonly string[]): string | undefined {
  const bare = field.replace(/^body\./, '')
  return (
    names.find((name) => name === bare) ??
    names.find((name) => name.startsWith(`${bare}.`)) ??
    names.find((name) => bare.startsWith(`${name}.`))
  )
}

/**
 * The server's field errors beside their fields; what finds no field is handed back to be shown above.
 * `places` names our field where it is called otherwise than the server's.
 */
export function showFaults<T>(
  form: FormInstance<T>,
  names: readonly string[],
  cause: unknown,
  places: Record<string, string> = {},
): unknown {
  if (!(cause instanceof Fault) || cause.fields.length === 0) return cause
  const placed = new Map<string, string[]>()
  let left = false
  for (const { field, message } of cause.fields) {
    const place = placeOf(places[field] ?? field, names)
    if (place) placed.set(place, [...(placed.get(place) ?? []), message])
    else left = true
  }
  const entries = [...placed].map(([name, errors]) => ({ name: name.split('.'), errors }))
  form.setFields(entries as Parameters<typeof form.setFields>[0])
  const first = entries[0]
  if (first) form.scrollToField(first.name as never, { focus: true })
  return left ? cause : undefined
}
