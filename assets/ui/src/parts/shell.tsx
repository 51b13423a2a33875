import {
  AppstoreOutlined,
  BarsOutlined,
  CompassOutlined,
  DashboardOutlined,
  DatabaseOutlined,
  DesktopOutlined,
  InboxOutlined,
  KeyOutlined,
  LogoutOutlined,
  MenuOutlined,
  NotificationOutlined,
  SaveOutlined,
  TeamOutlined,
  UserOutlined,
} from './icons'
import { App, Button, Drawer, Dropdown } from 'antd'
import { useState, type ReactNode } from 'react'
import { Link, NavLink, useNavigate } from 'react-router'
import { session } from '../api/session'
import { useStatus } from '../api/status'
import { useText, type Texts } from '../i18n/text'
import { useUser } from './can'
import { LanguageSwitch } from './language_switch'
import { LineState } from './line'
import { Logo } from './logo'
import { useSentence } from './state'

/** The navigation as data: where to, its name, its sign, and the permission it needs. */
const places: { to: string; name: keyof Texts['menu']; icon: ReactNode; needs: string }[] = [
  { to: '/', name: 'dashboard', icon: <DashboardOutlined />, needs: 'dashboard:read' },
  { to: '/apps', name: 'apps', icon: <AppstoreOutlined />, needs: 'apps:read' },
  { to: '/keys', name: 'keys', icon: <KeyOutlined />, needs: 'cards:read' },
  { to: '/batches', name: 'batches', icon: <InboxOutlined />, needs: 'batches:read' },
  { to: '/devices', name: 'devices', icon: <DesktopOutlined />, needs: 'devices:read' },
  { to: '/announcements', name: 'announcements', icon: <NotificationOutlined />, needs: 'announcements:read' },
  { to: '/accounts', name: 'accounts', icon: <TeamOutlined />, needs: 'accounts:read' },
  { to: '/jobs', name: 'jobs', icon: <BarsOutlined />, needs: 'jobs:read' },
  { to: '/backups', name: 'backups', icon: <SaveOutlined />, needs: 'file:read' },
  { to: '/file', name: 'file', icon: <DatabaseOutlined />, needs: 'file:read' },
  { to: '/start', name: 'start', icon: <CompassOutlined />, needs: 'dashboard:read' },
]

function Menu({ chosen }: { chosen?: () => void }) {
  const text = useText()
  const { permissions } = useUser()
  return (
    <nav className="menu" aria-label={text.menu.main}>
      {places
        .filter((place) => permissions.includes(place.needs))
        .map((place) => (
          <NavLink key={place.to} to={place.to} end={place.to === '/'} onClick={chosen}>
            {place.icon}
            {text.menu[place.name]}
          </NavLink>
        ))}
    </nav>
  )
}

function Brand() {
  return (
    <Link className="brand" to="/" aria-label={useText().product}>
      <Logo />
      <span className="brand-name">{useText().product}</span>
    </Link>
  )
}

function Version() {
  const status = useStatus()
  return <p className="side-foot">{status.data ? status.data.version : ''}</p>
}

/** A quiet word while the file is compacted and requests wait. */
function Pause() {
  const text = useText()
  const compacting = useStatus().data?.compacting
  return (
    <span className="pause" role="status">
      {compacting && text.live.compacting}
    </span>
  )
}

function UserMenu() {
  const text = useText()
  const user = useUser()
  const navigate = useNavigate()
  const sentence = useSentence()
  const { message } = App.useApp()
  const items = [
    { key: 'password', icon: <KeyOutlined />, label: text.menu.changePassword },
    { type: 'divider' as const },
    { key: 'out', icon: <LogoutOutlined />, label: text.menu.signOut },
  ]
  const choose = ({ key }: { key: string }) => {
    if (key === 'password') void navigate('/password')
    else session.signOut().catch((cause: unknown) => message.warning(sentence(cause)))
  }
  return (
    <Dropdown menu={{ items, onClick: choose }} trigger={['click']} placement="bottomRight">
      <Button type="text" icon={<UserOutlined />} aria-label={text.menu.account}>
        <span className="user-name">{user.name || user.username}</span>
      </Button>
    </Dropdown>
  )
}

/** The frame around every page: menu, bar and content. On a narrow screen the menu is a drawer. */
export function Shell({ children }: { children: ReactNode }) {
  const text = useText()
  const [open, setOpen] = useState(false)
  return (
    <div className="frame">
      <a className="skip" href="#content">
        {text.common.skipToContent}
      </a>
      <aside className="side fixed">
        <Brand />
        <Menu />
        <Version />
      </aside>
      <Drawer
        open={open}
        onClose={() => setOpen(false)}
        placement="left"
        size={268}
        title={
          <span className="row">
            <Logo size={26} />
            {text.product}
          </span>
        }
        closable={{ 'aria-label': text.common.close }}
      >
        <Menu chosen={() => setOpen(false)} />
        <Version />
      </Drawer>
      <div className="main">
        <header className="bar">
          <Button
            className="burger"
            type="text"
            icon={<MenuOutlined />}
            aria-label={text.menu.open}
            aria-expanded={open}
            onClick={() => setOpen(true)}
          />
          <span className="bar-brand">
            <Brand />
          </span>
          <span className="push" />
          <Pause />
          <LineState />
          <LanguageSwitch />
          <UserMenu />
        </header>
        <main className="content" id="content" tabIndex={-1}>
          {children}
        </main>
      </div>
    </div>
  )
}
