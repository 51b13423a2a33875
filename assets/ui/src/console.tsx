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

/** The pages' code, each loaded when it is first needed, or ahead of that once there is time. */
const code = {
  Dashboard: () => import('./pages/dashboard/dashboard'),
  Start: () => import('./pages/start/start'),
  Apps: () => import('./pages/apps/apps'),
  AppPage: () => import('./pages/apps/app'),
  Keys: () => import('./pages/keys/keys'),
  Batches: () => import('./pages/batches/batches'),
  Devices: () => import('./pages/devices/devices'),
  Announcements: () => import('./pages/announcements/announcements'),
  Accounts: () => import('./pages/accounts/accounts'),
  Jobs: () => import('./pages/jobs/jobs'),
  Password: () => import('./pages/door/password'),
}

const Dashboard = lazy(code.Dashboard)
const Start = lazy(code.Start)
const Apps = lazy(code.Apps)
const AppPage = lazy(code.AppPage)
const Keys = lazy(code.Keys)
const Batches = lazy(code.Batches)
const Devices = lazy(code.Devices)
const Announcements = lazy(code.Announcements)
const Accounts = lazy(code.Accounts)
const Jobs = lazy(code.Jobs)
const Password = lazy(code.Password)

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
  // The rest of the code comes while nobody waits for it: pages then open at once, and say what is wrong
  // themselves when the server cannot be reached.
  useEffect(() => {
    const timer = setTimeout(() => {
      for (const load of Object.values(code)) load().catch(() => undefined)
    }, 1500)
    return () => clearTimeout(timer)
  }, [])
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
