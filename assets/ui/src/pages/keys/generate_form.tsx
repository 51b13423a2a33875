import { Button, DatePicker, Form, Input, InputNumber, Select, type FormInstance } from 'antd'
import dayjs, { type Dayjs } from 'dayjs'
import { useState } from 'react'
import { useGenerate, type Batch } from '../../api/batches'
import type { Job } from '../../api/jobs'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useAppNames } from '../../parts/app_names'
import { showFaults } from '../../parts/faults'
import { FormFault } from '../../parts/state'
import { validityOf, type Preset } from '../../parts/validity'
import { PresetChoice } from './preset_choice'

interface Fields {
  app_id: string
  name?: string
  count: number
  preset: Preset
  days: number
  until?: Dayjs
  devices: number
  price_label?: string
  note?: string
}

interface GenerateFormProps {
  appId?: string
  begun: (work: { batch: Batch; job: Job }) => void
  close: () => void
}

const names = ['app_id', 'name', 'count', 'preset', 'days', 'until', 'devices', 'price_label', 'note']

/** Server names that our fields hold under another one. */
const places: Record<string, string> = { 'validity.seconds': 'days', 'validity.until': 'until', 'validity.kind': 'preset' }

export function GenerateForm({ appId, begun, close }: GenerateFormProps) {
  const text = useText()
  const words = text.generate
  const { number } = useFormat()
  const apps = useAppNames()
  const [form] = Form.useForm<Fields>()
  const [cause, setCause] = useState<unknown>()
  const generate = useGenerate()
  const count = Form.useWatch('count', form)
  const only = apps.options.length === 1 ? apps.options[0]?.value : undefined

  const submit = async (fields: Fields) => {
    setCause(undefined)
    const until = fields.until?.toISOString().replace(/\.\d+Z$/, 'Z') ?? ''
    try {
      begun(
        await generate.mutateAsync({
          app_id: fields.app_id,
          // The server would take its own clock's hour, in UTC; the vendor knows the one on the wall.
          name: fields.name?.trim() || dayjs().format('YYYY-MM-DD HH:mm'),
          count: fields.count,
          validity: validityOf(fields.preset, fields.days, until),
          devices: fields.devices,
          note: fields.note?.trim() || undefined,
          price_label: fields.price_label?.trim() || undefined,
        }),
      )
    } catch (refusal) {
      setCause(showFaults(form, names, refusal, places))
    }
  }
  return (
    <Form
      form={form}
      layout="vertical"
      disabled={generate.isPending}
      initialValues={{ app_id: appId ?? only, count: 100, preset: 'month', days: 30, devices: 1 }}
      onFinish={submit}
      scrollToFirstError={{ focus: true }}
    >
      <FormFault cause={cause} />
      <GenerateFields form={form} />
      <div className="row end">
        <Button onClick={close}>{text.common.cancel}</Button>
        <Button type="primary" htmlType="submit" loading={generate.isPending}>
          {typeof count === 'number' && count > 0 ? words.submitCount(number(count)) : words.submit}
        </Button>
      </div>
    </Form>
  )
}

const whole = (low: number, high: number, message: string) => [
  { required: true, type: 'integer' as const, min: low, max: high, message },
]

function GenerateFields({ form }: { form: FormInstance<Fields> }) {
  const text = useText()
  const words = text.generate
  const apps = useAppNames()
  const preset = Form.useWatch('preset', form)
  const short = (most: number) => ({ max: most, message: words.tooLong(most) })
  const future = (_: unknown, value?: Dayjs) =>
    value && value.isAfter(dayjs()) ? Promise.resolve() : Promise.reject(new Error(words.untilBad))
  return (
    <div className="form-grid">
      <Form.Item name="app_id" label={words.app} rules={[{ required: true, message: words.needApp }]}>
        <Select options={apps.options} loading={apps.loading} showSearch={{ optionFilterProp: 'label' }} />
      </Form.Item>
      <Form.Item name="name" label={text.common.optional(words.name)} extra={words.nameHint} rules={[short(80)]}>
        <Input placeholder={words.namePlaceholder} autoComplete="off" autoFocus />
      </Form.Item>
      <Form.Item className="whole" name="preset" label={words.validity}>
        <PresetChoice />
      </Form.Item>
      {preset === 'custom' && (
        <Form.Item className="whole" name="days" label={words.customDays} rules={whole(1, 36_500, words.customBad)}>
          <InputNumber className="number" precision={0} />
        </Form.Item>
      )}
      {preset === 'until' && (
        <Form.Item className="whole" name="until" label={words.until} rules={[{ validator: future }]}>
          <DatePicker className="number" showTime={{ format: 'HH:mm' }} format="YYYY-MM-DD HH:mm" minDate={dayjs()} />
        </Form.Item>
      )}
      <Form.Item name="count" label={words.count} extra={words.countHint} rules={whole(1, 1_000_000, words.countBad)}>
        <InputNumber className="number full" precision={0} inputMode="numeric" />
      </Form.Item>
      <Form.Item name="devices" label={words.devices} rules={whole(1, 1000, words.devicesBad)}>
        <InputNumber className="number full" precision={0} inputMode="numeric" />
      </Form.Item>
      <Form.Item name="price_label" label={text.common.optional(words.price)} rules={[short(40)]}>
        <Input placeholder={words.pricePlaceholder} autoComplete="off" />
      </Form.Item>
      <Form.Item name="note" label={text.common.optional(words.note)} rules={[short(500)]}>
        <Input placeholder={words.notePlaceholder} autoComplete="off" />
      </Form.Item>
    </div>
  )
}
