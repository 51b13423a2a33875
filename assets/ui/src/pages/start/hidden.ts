import { useState } from 'react'

const place = 'goldfish.guide_hidden'

/** Whether the user has put the first steps away (in this browser). They stay in the menu. */
export function useGuideHidden(): [boolean, () => void] {
  const [hidden, setHidden] = useState(() => {
    try {
      return localStorage.getItem(place) === '1'
    } catch {
      return false
    }
  })
  const hide = () => {
    setHidden(true)
    try {
      localStorage.setItem(place, '1')
    } catch {
      // without storage it stays away until the page is loaded again
    }
  }
  return [hidden, hide]
}
