import { useState } from 'react'

/** Whether the user has put something away (in this browser), and the way to do so. It is shown again for another `what`. */
export function useHidden(name: string, what = '1'): [boolean, () => void] {
  const place = `goldfish.${name}`
  const [hidden, setHidden] = useState('')
  const hide = () => {
    setHidden(what)
    try {
      localStorage.setItem(place, what)
    } catch {
      // without storage it stays away until the page is loaded again
    }
  }
  return [hidden === what || kept(place) === what, hide]
}

function kept(place: string): string | null {
  try {
    return localStorage.getItem(place)
  } catch {
    return null
  }
}
