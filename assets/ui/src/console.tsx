import { QueryClientProvider, type QueryClient } from '@tanstack/react-query'
import { App, Button, ConfigProvider } from 'antd'
import enUS from 'antd/locale/en_US'
import zhCN from 'antd/locale/zh_CN'
import { Suspense, lazy, useEffect } from 'react'
import { BrowserRouter, Navigate, Route, Routes, useLocation, useNavigate } from 'react-router'
import type { Live } from './api/live'
import { session } from './api/session'
import { language } from './i18n/language'
import { useText } from './i18n/text'
import { NotForYou } from './pages/door/not_for_you'
import { PasswordDoor } from './pages/door/password_door'
import { SignIn } from './pages/door/sign_in'
import { Boundary } from './parts/boundary'
import { useCell } from './parts/cell'
import { LineContext } from './parts/line'
import { Logo } from './parts/logo'
import { Shell } from './parts/shell'
import { Failure, Nothing } from './parts/state'
import { theme } from './parts/theme'

const Dashboard = lazy(() => import('./pages/dashboard/dashboard'))
const Start = lazy(() => import('./pages/start/start'))
const Apps = lazy(() => import('./pages/apps/apps'))
const AppPage = lazy(() => import('./pages/apps/app'))
const Keys = lazy(() => import('./pages/keys/keys'))
const Batches = lazy(() => import('./pages/batches/batches'))
const Devices = lazy(() => import('./pages/devices/devices'))
const Announcements = lazy(() => import('./pages/announcements/announcements'))
const Accounts = lazy(() => import('./pages/accounts/accounts'))
const Jobs = lazy(() => import('./pages/jobs/jobs'))
const Password = lazy(() => import('./pages/door/password'))

function Waiting() {
  const text = useText()
  return (
    <div className="waiting" role="status" aria-label={text.common.loading}>
      <Logo size={56} />
    </div>
  )
}

function NotFound() {
  const text = useText()
  const navigate = useNavigate()
  return (
    <Nothing
      title={text.notFound.title}
      hint={text.notFound.hint}
      action={
        <Button type="primary" onClick={() => void navigate('/')}>
          {text.notFound.home}
        </Button>
      }
    />
  )
}

/** The pages of whoever is signed in and has a password of their own. */
function Pages() {
  const { pathname } = useLocation()
  return (
    <Shell>
      <Boundary key={pathname}>
        <Suspense fallback={<Waiting />}>
          <Routes>
            <Route path="/" element={<Dashboard />} />
            <Route path="/start" element={<Start />} />
            <Route path="/apps" element={<Apps />} />
            <Route path="/apps/:id" element={<AppPage />} />
            <Route path="/keys" element={<Keys />} />
            <Route path="/batches" element={<Batches />} />
            <Route path="/devices" element={<Devices />} />
            <Route path="/announcements" element={<Announcements />} />
            <Route path="/accounts" element={<Accounts />} />
            <Route path="/jobs" element={<Jobs />} />
            <Route path="/password" element={<Password />} />
            <Route path="/index.html" element={<Navigate to="/" replace />} />
            <Route path="*" element={<NotFound />} />
          </Routes>
        </Suspense>
      </Boundary>
    </Shell>
  )
}

/** Who sees what: the door, the forced change of the first password, or the house. */
function House() {
  const state = useCell(session.state)
  const text = useText()
  useEffect(() => {
    document.title = text.product
  }, [text])
  switch (state.phase) {
    case 'starting':
      return <Waiting />
    case 'unreachable':
      return <Failure cause={state.fault} retry={() => void session.start()} />
    case 'out':
      return <SignIn ended={state.ended} />
    case 'in':
      if (state.user.must_change_password) return <PasswordDoor />
      return state.user.permissions.includes('dashboard:read') ? <Pages /> : <NotForYou />
  }
}

interface ConsoleProps {
  queries: QueryClient
  line: Live
  nonce: string
}

export function Console({ queries, line, nonce }: ConsoleProps) {
  const locale = useCell(language) === 'zh' ? zhCN : enUS
  return (
    <ConfigProvider csp={{ nonce }} theme={theme} locale={locale} form={{ requiredMark: false }} button={{ autoInsertSpace: false }}>
      <App>
        <QueryClientProvider client={queries}>
          <LineContext value={line}>
            <BrowserRouter>
              <House />
            </BrowserRouter>
          </LineContext>
        </QueryClientProvider>
      </App>
    </ConfigProvider>
  )
}
