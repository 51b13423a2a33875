import type { SessionState } from '../api/session'
import type { Standing } from '../api/standing'

/**
 * What is on the screen: nothing yet, that the server does not answer, that it works on its file, the way
 * into a sealed file, the sign-in, the forced change of the first password, the house, or that it is not for
 * this account.
 */
export type Screen = 'nothing' | 'unreachable' | 'working' | 'sealed' | 'sign_in' | 'first_password' | 'house' | 'not_for_you'

/** The appliance's standing comes first: a session means nothing to one that does not serve. */
export function screenOf(standing: Standing, session: SessionState): Screen {
  switch (standing.phase) {
    case 'asking':
      return 'nothing'
    case 'away':
      return 'unreachable'
    case 'closed':
      return 'working'
    case 'sealed':
      return 'sealed'
  }
  switch (session.phase) {
    case 'starting':
      return 'nothing'
    case 'unreachable':
      return 'unreachable'
    case 'out':
      return 'sign_in'
  }
  if (session.user.must_change_password) return 'first_password'
  return session.user.permissions.includes('dashboard:read') ? 'house' : 'not_for_you'
}
