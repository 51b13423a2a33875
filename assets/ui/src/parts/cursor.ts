import { useState } from 'react'

/** Where a list stands: the cursors of the pages before this one, and of this one ('' is the first). */
export interface Trail {
  of: string
  cursors: string[]
}

export const firstPage = (of: string): Trail => ({ of, cursors: [''] })

export function forward(trail: Trail, next: string): Trail {
  return { ...trail, cursors: [...trail.cursors, next] }
}

export function backward(trail: Trail): Trail {
  return trail.cursors.length > 1 ? { ...trail, cursors: trail.cursors.slice(0, -1) } : trail
}

export interface Cursor {
  /** The cursor to ask with, or undefined for the first page. */
  at: string | undefined
  page: number
  forward: (next: string) => void
  backward: () => void
}

/** Pages by cursor. Begins at the first page again when `of` (the filters) changes. */
export function useCursor(of: string): Cursor {
  const [kept, setTrail] = useState(() => firstPage(of))
  const trail = kept.of === of ? kept : firstPage(of)
  return {
    at: trail.cursors[trail.cursors.length - 1] || undefined,
    page: trail.cursors.length,
    forward: (next) => setTrail(forward(trail, next)),
    backward: () => setTrail(backward(trail)),
  }
}
