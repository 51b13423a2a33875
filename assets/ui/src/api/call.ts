import { session } from './session'
import { ask, Fault, type Ask } from './wire'

/** What every list answers: a page of items, and where the next one begins ('' at the end). */
export interface Page<T> {
  items: T[]
  next: string
}

const root = '/api/v1/admin'

/** Asks the back office and gives the answer whole; renews the access token once if it has run out. */
export async function request(path: string, how: Ask = {}): Promise<Response> {
  const token = session.token()
  try {
    return await ask(root + path, { ...how, token })
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause
    if (cause.code === 'password_change_required') session.mustChange()
    if (cause.status !== 401) throw cause
    const fresh = await session.renew(token)
    if (!fresh) throw cause
    return ask(root + path, { ...how, token: fresh })
  }
}

/** Asks the back office and gives the `data` of the envelope. */
export async function call<T>(path: string, how: Ask = {}): Promise<T> {
  const answer = await request(path, how)
  return ((await answer.json()) as { data: T }).data
}
