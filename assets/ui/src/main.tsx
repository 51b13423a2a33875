import { QueryClient } from '@tanstack/react-query'
import { createRoot } from 'react-dom/client'
import { Console } from './console'
import { follower } from './api/follow'
import { browserLive } from './api/live'
import { session } from './api/session'
import { appliance } from './api/standing'
import { Fault } from './api/wire'
import { language, tagOf } from './i18n/language'
import './style.css'

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // What the server refused stays refused; what did not arrive may arrive the next time.
      retry: (count, cause) => count < 2 && cause instanceof Fault && [0, 502, 504].includes(cause.status),
      retryDelay: (count) => 500 * 2 ** count,
      refetchOnWindowFocus: true,
    },
    mutations: { retry: false },
  },
})

const line = browserLive(follower(queries, setTimeout))

function speak() {
  document.documentElement.lang = tagOf[language.get()]
}
speak()
language.subscribe(() => {
  speak()
  void queries.invalidateQueries() // sentences of the server come in the language of the question
})

// What one user saw is not for the next. Whether the appliance was ever used may have changed meanwhile.
let inside = false
session.state.subscribe(() => {
  const { phase } = session.state.get()
  if (phase === 'out') queries.clear()
  if (phase === 'out' && inside) void appliance.look()
  inside = phase === 'in'
})

// The session is looked at when the appliance first serves, and again when something was done to its file.
let before = appliance.state.get().phase
appliance.state.subscribe(() => {
  const { phase } = appliance.state.get()
  const opens = phase === 'open' && before !== 'open'
  const held = session.state.get().phase
  if (opens && (held === 'starting' || held === 'unreachable' || (held === 'in' && before === 'closed'))) {
    // Another file may be in place by now. No page is open that holds what was read of the one before.
    if (before === 'closed') queries.clear()
    void session.start()
    void queries.invalidateQueries()
  }
  before = phase
})
void appliance.look()

const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? ''
const root = document.getElementById('root')
if (root) createRoot(root).render(<Console queries={queries} line={line} nonce={nonce} />)
