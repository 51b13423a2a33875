import { DownloadOutlined } from '../../parts/icons'
import { Form, Input } from 'antd'
import { useBatches } from '../../api/batches'
import { cardStates } from '../../api/cards'
import { useText } from '../../i18n/text'
import { useAppNames } from '../../parts/app_names'
import { useCan } from '../../parts/can'
import { looksLikeCardKey } from '../../parts/card_key'
import { FilterSelect } from '../../parts/filter_select'
import { ExportButton } from './export_button'

interface Filters {
  app: string
  batch: string
  state: string
}

interface CardFiltersProps {
  appId?: string
  filters: Filters
  change: (change: Partial<Filters>) => void
  find: (key: string) => void
}

/** What narrows the list of card keys, and the export of what it is narrowed to. */
export function CardFilters({ appId, filters, change, find }: CardFiltersProps) {
  const text = useText()
  const words = text.keys
  const apps = useAppNames()
  const app = appId ?? filters.app
  const batches = useBatches({ app_id: app || undefined, limit: 200 })
  const mayExport = useCan('cards:export')
  const ready = (batches.data?.items ?? []).filter((batch) => batch.state === 'ready')
  return (
    <div className="filters" role="search">
      <ExactKey find={find} />
      {!appId && (
        <FilterSelect
          label={words.filterApp}
          any={words.anyApp}
          value={filters.app}
          options={apps.options}
          loading={apps.loading}
          choose={(value) => change({ app: value, batch: '' })}
        />
      )}
      <FilterSelect
        label={words.filterBatch}
        any={words.anyBatch}
        value={filters.batch}
        options={ready.map((batch) => ({ value: batch.id, label: batch.name }))}
        loading={batches.isPending}
        choose={(value) => change({ batch: value })}
      />
      <FilterSelect
        label={words.filterState}
        any={words.anyState}
        value={filters.state}
        options={cardStates.map((state) => ({ value: state, label: words.states[state] }))}
        choose={(value) => change({ state: value })}
      />
      {mayExport && (
        <ExportButton
          icon={<DownloadOutlined />}
          filter={{ batch_id: filters.batch || undefined, app_id: app || undefined, state: filters.state || undefined }}
          disabled={!app && !filters.batch}
        />
      )}
    </div>
  )
}

function ExactKey({ find }: { find: (key: string) => void }) {
  const text = useText()
  const words = text.keys
  const [form] = Form.useForm<{ key: string }>()
  return (
    <Form
      form={form}
      className="wide"
      validateTrigger={[]}
      onFinish={({ key }) => find((key ?? '').trim())}
      onValuesChange={(_, { key }) => {
        if (!key) find('')
      }}
    >
      <Form.Item
        name="key"
        noStyle={false}
        className="flat"
        rules={[
          {
            validator: (_, value?: string) =>
              !value?.trim() || looksLikeCardKey(value) ? Promise.resolve() : Promise.reject(new Error(words.exactKeyBad)),
          },
        ]}
      >
        <Input.Search
          aria-label={words.exactKey}
          placeholder={words.exactKey}
          title={words.exactKeyHint}
          allowClear
          maxLength={128}
          autoComplete="off"
          spellCheck={false}
          onSearch={form.submit}
        />
      </Form.Item>
    </Form>
  )
}
