import { App as Feedback, Button, DatePicker, Drawer, Form, Radio, Select, type FormInstance } from 'antd'
import dayjs, { type Dayjs } from 'dayjs'
import { useState } from 'react'
import {
  announcementTypes,
  priorities,
  useWriteAnnouncement,
  type Announcement,
  type AnnouncementDraft,
} from '../../api/announcements'
import type { VendorText } from '../../api/apps'
import { useText } from '../../i18n/text'
import { useAppNames } from '../../parts/app_names'
import { showFaults } from '../../parts/faults'
import { FormFault } from '../../parts/state'
import { TextFields } from '../../parts/text_fields'
import { tidy } from '../../parts/tidy'
import { Preview } from './preview'

interface Fields {
  title: VendorText
  body: VendorText
  type: Announcement['type']
  priority: Announcement['priority']
  audience: 'all' | 'some'
  app_ids?: string[]
  expires_at?: Dayjs | null
}

const names = ['title.zh', 'title.en', 'body.zh', 'body.en', 'type', 'priority', 'app_ids', 'expires_at']

interface ComposeProps {
  open: boolean
  close: () => void
  /** The draft to go on with; without one a new announcement is written. */
  draft?: Announcement
}

export function Compose({ open, close, draft }: ComposeProps) {
  const words = useText().announcements
  const text = useText()
  return (
    <Drawer
      open={open}
      onClose={close}
      size={680}
      title={draft ? words.edit : words.compose}
      closable={{ 'aria-label': text.common.close }}
      mask={{ closable: false }}
      destroyOnHidden
    >
      <ComposeForm key={draft?.id ?? 'new'} draft={draft} close={close} />
    </Drawer>
  )
}

function ComposeForm({ draft, close }: { draft?: Announcement; close: () => void }) {
  const text = useText()
  const words = text.announcements
  const { message } = Feedback.useApp()
  const [form] = Form.useForm<Fields>()
  const [cause, setCause] = useState<unknown>()
  const [sending, setSending] = useState<'draft' | 'publish'>()
  const write = useWriteAnnouncement(draft?.id)
  const written = Form.useWatch([], form) as Partial<Fields> | undefined

  const send = async (how: 'draft' | 'publish') => {
    const fields = await form.validateFields().catch(() => undefined)
    if (!fields) return
    setCause(undefined)
    setSending(how)
    try {
      await write.mutateAsync({ draft: draftOf(fields), publish: how === 'publish' })
      message.success(how === 'publish' ? words.publishedDone : words.draftSaved)
      close()
    } catch (refusal) {
      setCause(showFaults(form, names, refusal))
    } finally {
      setSending(undefined)
    }
  }
  return (
    <Form form={form} layout="vertical" disabled={write.isPending} initialValues={fieldsOf(draft)} scrollToFirstError={{ focus: true }}>
      <FormFault cause={cause} />
      <TextFields name="title" label={words.subject} need={words.needTitle} most={120} focus />
      <TextFields name="body" label={words.body} need={words.needBody} most={5000} rows={5} />
      <p className="faint small form-fault">
        {words.bodyHint} {words.languageFallback}
      </p>
      <ComposeChoices form={form} />
      <Preview title={written?.title} body={written?.body} type={written?.type} />
      <div className="row end form-end">
        <Button loading={sending === 'draft'} onClick={() => void send('draft')}>
          {words.saveDraft}
        </Button>
        <Button type="primary" loading={sending === 'publish'} onClick={() => void send('publish')}>
          {words.publishNow}
        </Button>
      </div>
    </Form>
  )
}

/** What kind of announcement, for whom, and until when. */
function ComposeChoices({ form }: { form: FormInstance<Fields> }) {
  const text = useText()
  const words = text.announcements
  const apps = useAppNames()
  const audience = Form.useWatch('audience', form)
  const future = (_: unknown, value?: Dayjs | null) =>
    !value || value.isAfter(dayjs()) ? Promise.resolve() : Promise.reject(new Error(words.expiresBad))
  return (
    <div className="form-grid">
      <Form.Item name="type" label={words.type}>
        <Select options={announcementTypes.map((value) => ({ value, label: words.types[value] }))} />
      </Form.Item>
      <Form.Item name="priority" label={words.priority}>
        <Radio.Group optionType="button" options={priorities.map((value) => ({ value, label: words.priorities[value] }))} />
      </Form.Item>
      <Form.Item name="audience" label={words.audience}>
        <Radio.Group
          options={[
            { value: 'all', label: words.everyone },
            { value: 'some', label: words.someApps },
          ]}
        />
      </Form.Item>
      <Form.Item name="expires_at" label={text.common.optional(words.expires)} extra={words.expiresHint} rules={[{ validator: future }]}>
        <DatePicker className="number full" showTime={{ format: 'HH:mm' }} format="YYYY-MM-DD HH:mm" minDate={dayjs()} />
      </Form.Item>
      {audience === 'some' && (
        <Form.Item className="whole" name="app_ids" label={words.chooseApps} rules={[{ required: true, message: words.needApps }]}>
          <Select mode="multiple" options={apps.options} loading={apps.loading} showSearch={{ optionFilterProp: 'label' }} />
        </Form.Item>
      )}
    </div>
  )
}

function fieldsOf(draft: Announcement | undefined): Partial<Fields> {
  if (!draft) return { type: 'notice', priority: 'medium', audience: 'all' }
  const { title, body, type, priority, app_ids, expires_at } = draft
  return {
    title,
    body,
    type,
    priority,
    audience: app_ids.length > 0 ? 'some' : 'all',
    app_ids,
    expires_at: expires_at ? dayjs(expires_at) : null,
  }
}

function draftOf(fields: Fields): AnnouncementDraft {
  return {
    app_ids: fields.audience === 'some' ? (fields.app_ids ?? []) : [],
    type: fields.type,
    priority: fields.priority,
    title: tidy(fields.title),
    body: tidy(fields.body),
    expires_at: fields.expires_at ? fields.expires_at.toISOString().replace(/\.\d+Z$/, 'Z') : null,
  }
}
