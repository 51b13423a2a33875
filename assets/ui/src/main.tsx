import { QueryClient } from '@tanstack/react-query'
import { createRoot } from 'react-dom/client'
import { Console } from './console'
import { follower } from './api/follow'
import { browserLive } from './api/live'
import { session } from './api/session'
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

// What one user saw is not for the next.
session.state.subscribe(() => {
  if (session.state.get().phase === 'out') queries.clear()
})
void session.start()

const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? ''
const root = document.getElementById('root')
if (root) createRoot(root).render(<Console queries={queries} line={line} nonce={nonce} />)
