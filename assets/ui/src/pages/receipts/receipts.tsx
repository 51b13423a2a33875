import { App as Feedback, Button, Tooltip } from 'antd'
import { useState } from 'react'
import { Link } from 'react-router'
import { useDecideReceipt, useReceipts, type Receipt } from '../../api/receipts'
import { useFormat } from '../../i18n/format'
import { useText, wordOf } from '../../i18n/text'
import { useAppNames } from '../../parts/app_names'
import { useCan } from '../../parts/can'
import { useCursor } from '../../parts/cursor'
import { Listing, type Column } from '../../parts/listing'
import { Page } from '../../parts/page'
import { Pager } from '../../parts/pager'
import { Loaded, Nothing, useSentence } from '../../parts/state'
import { CardState } from '../../parts/tags'
import { Adopt } from './adopt'

/** The licences that devices showed after a restore and that the vendor decides on. */
export default function Receipts() {
  const text = useText()
  const words = text.receipts
  const cursor = useCursor('')
  const query = useReceipts({ cursor: cursor.at })
  const [adopting, setAdopting] = useState<Receipt>()
  const columns = useColumns(setAdopting)
  return (
    <Page title={words.title} intro={words.intro} back={{ to: '/devices', label: words.back }}>
      <section className="sheet">
        <Loaded query={query}>
          {(page) =>
            page.items.length === 0 && !page.next ? (
              <Nothing title={words.empty} hint={words.emptyHint} />
            ) : (
              <>
                <Listing label={words.title} rows={page.items} columns={columns} busy={query.isPlaceholderData} />
                <Pager cursor={cursor} next={page.next} />
              </>
            )
          }
        </Loaded>
      </section>
      <Adopt receipt={adopting} close={() => setAdopting(undefined)} />
    </Page>
  )
}

function useColumns(adopt: (receipt: Receipt) => void): Column<Receipt>[] {
  const text = useText()
  const words = text.receipts
  const format = useFormat()
  const { nameOf } = useAppNames()
  const mayWrite = useCan('receipts:write')
  return [
    {
      key: 'device',
      title: words.device,
      role: 'heading',
      render: (receipt) => (
        <span className="slot">
          <code title={receipt.device_id} className="nowrap">
            {receipt.device_id.slice(0, 12)}
          </code>
          <small className="faint">{receipt.platform}</small>
        </span>
      ),
    },
    { key: 'why', title: words.why, render: (receipt) => <span className="why">{wordOf(words.codes, receipt.code)}</span> },
    { key: 'app', title: words.app, clip: true, render: (receipt) => nameOf(receipt.app_id) },
    {
      key: 'key',
      title: words.key,
      render: (receipt) =>
        receipt.card_key_masked ? (
          <span className="row keep-together">
            <Link className="mono nowrap" to={`/keys?card=${receipt.card_id}`}>
              {receipt.card_key_masked}
            </Link>
            {!receipt.may_adopt && <CardState state={receipt.card_state} />}
          </span>
        ) : (
          <span className="faint">{words.unknownKey}</span>
        ),
    },
    { key: 'issued', title: words.issued, render: (receipt) => format.dateTime(receipt.issued_at) },
    { key: 'ends', title: words.ends, render: (receipt) => (receipt.ends_at ? format.dateTime(receipt.ends_at) : text.keys.never) },
    {
      key: 'actions',
      title: text.common.actions,
      role: 'bare',
      end: true,
      render: (receipt) => mayWrite && <Decide receipt={receipt} adopt={() => adopt(receipt)} />,
    },
  ]
}

function Decide({ receipt, adopt }: { receipt: Receipt; adopt: () => void }) {
  const text = useText()
  const words = text.receipts
  const sentence = useSentence()
  const { modal, message } = Feedback.useApp()
  const decide = useDecideReceipt()
  const ask = () =>
    void modal.confirm({
      title: words.dismissTitle,
      content: words.dismissHint,
      okText: words.dismiss,
      okButtonProps: { danger: true },
      async onOk() {
        try {
          await decide.mutateAsync({ id: receipt.id, decision: 'dismiss' })
          message.success(words.dismissed)
        } catch (refusal) {
          message.error(sentence(refusal))
        }
      },
    })
  // Another card key may stand in for one that the file does not know, but not for one that was disabled.
  const may = receipt.may_adopt || receipt.card_id === ''
  return (
    <span className="row end keep-together">
      <Tooltip title={may ? '' : words.cannot}>
        <Button size="small" disabled={!may} onClick={adopt}>
          {words.adopt}
        </Button>
      </Tooltip>
      <Button size="small" danger onClick={ask}>
        {words.dismiss}
      </Button>
    </span>
  )
}
