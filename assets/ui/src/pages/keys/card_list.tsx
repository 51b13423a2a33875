import { Button } from 'antd'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import { useCards, type Card, type CardFilter } from '../../api/cards'
import { useText } from '../../i18n/text'
import { useAppNames } from '../../parts/app_names'
import { useCan } from '../../parts/can'
import { useCursor } from '../../parts/cursor'
import { useFilters } from '../../parts/filters'
import { Listing } from '../../parts/listing'
import { Pager } from '../../parts/pager'
import { Loaded, Nothing } from '../../parts/state'
import { CardDrawer } from './card_drawer'
import { CardFilters } from './card_filters'
import { ChosenBar } from './chosen_bar'
import { useCardColumns } from './columns'

interface CardListProps {
  /** Keys of this app only, without a choice of app. */
  appId?: string
  generate: () => void
}

/** Card keys: filters, pages, choice and details. An exact key never enters the page's address. */
export function CardList({ appId, generate }: CardListProps) {
  const text = useText()
  const [filters, setFilters] = useFilters(['app', 'batch', 'state', 'card'])
  const [key, setKey] = useState('')
  const [size, setSize] = useState(50)
  const [chosen, setChosen] = useState<ReadonlyMap<string, Card>>(new Map())
  const mayWrite = useCan('cards:write')
  const narrow: CardFilter = { app_id: appId ?? filters.app, batch_id: filters.batch, state: filters.state, key }
  const cursor = useCursor(JSON.stringify([narrow, size]))
  const query = useCards({ ...narrow, cursor: cursor.at, limit: size })
  const open = (card: Card) => setFilters({ card: card.id })
  const columns = useCardColumns({ open, withApp: !appId })
  const filtered = Boolean((!appId && filters.app) || filters.batch || filters.state || key)

  const narrowTo = (change: Partial<typeof filters>) => {
    setFilters(change)
    setChosen(new Map())
  }
  const find = (exact: string) => {
    setKey(exact)
    setChosen(new Map())
  }
  const toggle = (rows: Card[], on: boolean) => {
    const next = new Map(chosen)
    for (const row of rows) {
      if (on) next.set(row.id, row)
      else next.delete(row.id)
    }
    setChosen(next)
  }

  return (
    <section className="sheet">
      <CardFilters appId={appId} filters={filters} change={narrowTo} find={find} />
      <Loaded query={query}>
        {(page) =>
          page.items.length === 0 && !page.next ? (
            <EmptyCards
              filtered={filtered}
              clear={() => {
                narrowTo({ app: '', batch: '', state: '' })
                find('')
              }}
              generate={generate}
            />
          ) : (
            <>
              <Listing
                label={text.keys.title}
                rows={page.items}
                columns={columns}
                open={open}
                busy={query.isPlaceholderData}
                choice={mayWrite ? { chosen: new Set(chosen.keys()), name: (card) => card.key, toggle } : undefined}
              />
              <Pager cursor={cursor} next={page.next} size={{ value: size, choose: setSize }} />
            </>
          )
        }
      </Loaded>
      {chosen.size > 0 && <ChosenBar cards={[...chosen.values()]} clear={() => setChosen(new Map())} />}
      <CardDrawer id={filters.card} close={() => setFilters({ card: '' })} />
    </section>
  )
}

function EmptyCards({ filtered, clear, generate }: { filtered: boolean; clear: () => void; generate: () => void }) {
  const text = useText()
  const navigate = useNavigate()
  const { none } = useAppNames()
  if (filtered) {
    return <Nothing title={text.keys.noneFound} hint={text.keys.noneFoundHint} action={<Button onClick={clear}>{text.common.clear}</Button>} />
  }
  const next = none ? (
    <Button type="primary" onClick={() => void navigate('/apps')}>
      {text.apps.create}
    </Button>
  ) : (
    <Button type="primary" onClick={generate}>
      {text.generate.title}
    </Button>
  )
  return <Nothing title={text.keys.empty} hint={none ? text.keys.needApp : text.keys.emptyHint} action={next} />
}
