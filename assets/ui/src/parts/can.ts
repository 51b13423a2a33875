import { useCell } from './cell'
import { session, type User } from '../api/session'

/** Who is signed in. Only for parts that are shown to signed-in people. */
export function useUser(): User {
  const state = useCell(session.state)
  if (state.phase !== 'in') throw new Error('nobody is signed in')
  return state.user
}

/** Whether the user may do this, e.g. `cards:write`. The server decides; this only hides what it would refuse. */
export function useCan(permission: string): boolean {
  const state = useCell(session.state)
  return state.phase === 'in' && state.user.permissions.includes(permission)
}
