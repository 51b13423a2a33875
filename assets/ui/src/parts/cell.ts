import { useSyncExternalStore } from 'react'

/** A value that parts of the page watch. It tells its watchers only when the value changes. */
export interface Cell<T> {
  get(): T
  set(value: T): void
  subscribe(watcher: () => void): () => void
}

export function cell<T>(first: T): Cell<T> {
  let value = first
  const watchers = new Set<() => void>()
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return
      value = next
      for (const tell of watchers) tell()
    },
    subscribe(watcher) {
      watchers.add(watcher)
      return () => watchers.delete(watcher)
    },
  }
}

/** The cell's value; the component renders again when it changes. */
export function useCell<T>(source: Cell<T>): T {
  return useSyncExternalStore(source.subscribe, source.get)
}
