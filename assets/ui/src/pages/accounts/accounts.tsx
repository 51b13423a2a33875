import { Button, Input } from 'antd'
import { useAccounts, type Account } from '../../api/accounts'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useUser } from '../../parts/can'
import { useCursor } from '../../parts/cursor'
import { FilterSelect } from '../../parts/filter_select'
import { useFilters } from '../../parts/filters'
import { Listing, type Column } from '../../parts/listing'
import { Page } from '../../parts/page'
import { Pager } from '../../parts/pager'
import { Loaded, Nothing } from '../../parts/state'
import { Tag } from '../../parts/tags'

export default function Accounts() {
  const text = useText()
  const words = text.accounts
  const [filters, setFilters] = useFilters(['q', 'role'])
  const cursor = useCursor(JSON.stringify(filters))
  const query = useAccounts({ ...filters, cursor: cursor.at })
  const columns = useAccountColumns()
  const filtered = Boolean(filters.q || filters.role)
  return (
    <Page title={words.title} intro={words.intro}>
      <section className="sheet">
        <div className="filters" role="search">
          <Input.Search
            key={filters.q}
            className="wide"
            defaultValue={filters.q}
            aria-label={words.query}
            placeholder={words.query}
            allowClear
            maxLength={254}
            onSearch={(q) => setFilters({ q: q.trim() })}
          />
          <FilterSelect
            label={words.filterRole}
            any={words.anyRole}
            value={filters.role}
            options={Object.entries(words.roles).map(([value, label]) => ({ value, label }))}
            choose={(role) => setFilters({ role })}
          />
        </div>
        <Loaded query={query}>
          {(page) =>
            page.items.length === 0 && !page.next ? (
              <Nothing
                title={filtered ? words.noneFound : words.empty}
                hint={filtered ? words.noneFoundHint : words.emptyHint}
                action={filtered && <Button onClick={() => setFilters({ q: '', role: '' })}>{text.common.clear}</Button>}
              />
            ) : (
              <>
                <Listing label={words.title} rows={page.items} columns={columns} busy={query.isPlaceholderData} />
                <Pager cursor={cursor} next={page.next} />
              </>
            )
          }
        </Loaded>
      </section>
    </Page>
  )
}

function useAccountColumns(): Column<Account>[] {
  const text = useText()
  const words = text.accounts
  const format = useFormat()
  const me = useUser()
  return [
    {
      key: 'username',
      title: words.username,
      role: 'heading',
      render: (account) => (
        <span className="row">
          <span className="strong break">{account.username}</span>
          {account.id === me.id && <span className="tag">{words.you}</span>}
        </span>
      ),
    },
    { key: 'email', title: words.email, clip: true, render: (account) => account.email },
    { key: 'role', title: words.role, render: (account) => <Tag state={account.role} words={words.roles} /> },
    { key: 'state', title: text.common.state, render: (account) => <Tag state={account.state} words={words.states} /> },
    { key: 'cards', title: words.cards, end: true, render: (account) => format.number(account.cards) },
    {
      key: 'login',
      title: words.lastLogin,
      render: (account) => (
        <span className="nowrap">{account.last_login_at ? format.dateTime(account.last_login_at) : words.neverLoggedIn}</span>
      ),
    },
    { key: 'registered', title: words.registered, render: (account) => <span className="nowrap">{format.dateTime(account.created_at)}</span> },
  ]
}
