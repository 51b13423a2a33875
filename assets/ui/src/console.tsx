import { QueryClientProvider, type QueryClient } from '@tanstack/react-query'
import { App, Button, ConfigProvider } from 'antd'
import enUS from 'antd/locale/en_US'
import zhCN from 'antd/locale/zh_CN'
import { Suspense, lazy, useEffect } from 'react'
import { BrowserRouter, Navigate, Route, Routes, useLocation, useNavigate } from 'react-router'
import type { Live } from './api/live'
import { session, type SessionState } from './api/session'
import { appliance, type Standing } from './api/standing'
import { language } from './i18n/language'
import { useText } from './i18n/text'
import { NotForYou } from './pages/door/not_for_you'
import { PasswordDoor } from './pages/door/password_door'
import { SealedDoor } from './pages/door/sealed_door'
import { SignIn } from './pages/door/sign_in'
import { WaitingDoor } from './pages/door/waiting_door'
import { Boundary } from './parts/boundary'
import { useCell } from './parts/cell'
import { LineContext } from './parts/line'
import { Logo } from './parts/logo'
import { screenOf } from './parts/screen'
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
  Backups: () => import('./pages/backups/backups'),
  DataFile: () => import('./pages/file/file'),
  Receipts: () => import('./pages/receipts/receipts'),
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
const Backups = lazy(code.Backups)
const DataFile = lazy(code.DataFile)
const Receipts = lazy(code.Receipts)
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
            <Route path="/receipts" element={<Receipts />} />
            <Route path="/announcements" element={<Announcements />} />
            <Route path="/accounts" element={<Accounts />} />
            <Route path="/jobs" element={<Jobs />} />
            <Route path="/backups" element={<Backups />} />
            <Route path="/file" element={<DataFile />} />
            <Route path="/password" element={<Password />} />
            <Route path="/index.html" element={<Navigate to="/" replace />} />
            <Route path="*" element={<NotFound />} />
          </Routes>
        </Suspense>
      </Boundary>
    </Shell>
  )
}

/** Shows once what came of work on the file during which somebody stayed signed in. */
function Aftermath({ standing }: { standing: Standing }) {
  const text = useText()
  const { modal } = App.useApp()
  const outcome = standing.phase === 'open' ? standing.outcome : undefined
  useEffect(() => {
    if (!outcome) return
    appliance.settle()
    if (outcome.fault) modal.error({ title: text.standing.failedTitle, content: outcome.fault })
  }, [outcome, modal, text])
  return null
}

/** Who sees what. */
function House() {
  const state = useCell(session.state)
  const standing = useCell(appliance.state)
  const text = useText()
  useEffect(() => {
    document.title = text.product
  }, [text])
  switch (screenOf(standing, state)) {
    case 'nothing':
      return <Waiting />
    case 'unreachable':
      return <Unreachable standing={standing} state={state} />
    case 'working':
      return standing.phase === 'closed' && <WaitingDoor standing={standing} />
    case 'sealed':
      return standing.phase === 'sealed' && <SealedDoor recovery={standing.recovery} />
    case 'sign_in': {
      const open = standing.phase === 'open' ? standing : undefined
      return <SignIn ended={state.phase === 'out' && state.ended} empty={open?.empty ?? false} outcome={open?.outcome} />
    }
    case 'first_password':
      return <PasswordDoor />
    case 'not_for_you':
      return <NotForYou />
    case 'house':
      return (
        <>
          <Aftermath standing={standing} />
          <Pages />
        </>
      )
  }
}

function Unreachable({ standing, state }: { standing: Standing; state: SessionState }) {
  if (standing.phase === 'away') return <Failure cause={standing.fault} retry={() => void appliance.look()} />
  return <Failure cause={state.phase === 'unreachable' ? state.fault : undefined} retry={() => void session.start()} />
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
