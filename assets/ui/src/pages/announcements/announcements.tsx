import { PlusOutlined } from '../../parts/icons'
import { Button } from 'antd'
import { useState } from 'react'
import { useAnnouncements, type Announcement } from '../../api/announcements'
import { useText } from '../../i18n/text'
import { useCan } from '../../parts/can'
import { useCursor } from '../../parts/cursor'
import { Page } from '../../parts/page'
import { Pager } from '../../parts/pager'
import { Loaded, Nothing } from '../../parts/state'
import { AnnouncementCard } from './announcement_card'
import { Compose } from './compose'

export default function Announcements() {
  const text = useText()
  const words = text.announcements
  const cursor = useCursor('')
  const query = useAnnouncements({ cursor: cursor.at })
  const [editing, setEditing] = useState<Announcement | 'new'>()
  const compose = useCan('announcements:write') && (
    <Button type="primary" icon={<PlusOutlined />} onClick={() => setEditing('new')}>
      {words.compose}
    </Button>
  )
  return (
    <Page title={words.title} intro={words.intro} actions={compose}>
      <Loaded query={query}>
        {(page) =>
          page.items.length === 0 ? (
            <div className="sheet">
              <Nothing title={words.empty} hint={words.emptyHint} action={compose} />
            </div>
          ) : (
            <>
              <ul className="stack">
                {page.items.map((item) => (
                  <AnnouncementCard key={item.id} item={item} edit={() => setEditing(item)} />
                ))}
              </ul>
              <Pager cursor={cursor} next={page.next} />
            </>
          )
        }
      </Loaded>
      <Compose open={editing !== undefined} draft={editing === 'new' ? undefined : editing} close={() => setEditing(undefined)} />
    </Page>
  )
}
