import { session } from './session'
import { askOpen } from './standing'
import { Fault, type Ask, type Query } from './wire'

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
    return await askOpen(root + path, { ...how, token })
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause
    if (cause.code === 'password_change_required') session.mustChange()
    if (cause.status !== 401) throw cause
    const fresh = await session.renew(token)
    if (!fresh) throw cause
    return askOpen(root + path, { ...how, token: fresh })
  }
}

/**
 * One page of a list. The server looks at a limited number of rows a call, so where a filter hits rarely a
 * page may be empty and the list still go on: then the next ones are asked for until something is found.
 */
export async function page<T>(path: string, query: Query, signal: AbortSignal): Promise<Page<T>> {
  let found = await call<Page<T>>(path, { query, signal })
  for (let more = 0; more < mostEmpty && found.items.length === 0 && found.next; more++) {
    found = await call<Page<T>>(path, { query: { ...query, cursor: found.next }, signal })
  }
  return found
}

/** After so many empty pages in a row the user decides whether to go on. */
const mostEmpty = 40

/** Asks the back office and gives the `data` of the envelope. */
export async function call<T>(path: string, how: Ask = {}): Promise<T> {
  const answer = await request(path, how)
  return ((await answer.json()) as { data: T }).data
}
