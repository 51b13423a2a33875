import { App as Feedback, Form, Modal } from 'antd'
import { useState } from 'react'
import { useChangeApp, useCreateApp, type App, type VendorText } from '../../api/apps'
import { usePickText } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { showFaults } from '../../parts/faults'
import { FormFault } from '../../parts/state'
import { TextFields } from '../../parts/text_fields'
import { tidy } from '../../parts/tidy'

interface Fields {
  name: VendorText
  description?: VendorText
}

interface AppFormProps {
  open: boolean
  close: () => void
  /** The app to edit; without one a new app is made. */
  app?: App
  made?: (app: App) => void
}

const names = ['name.zh', 'name.en', 'description.zh', 'description.en']

export function AppForm({ open, close, app, made }: AppFormProps) {
  const text = useText()
  const pick = usePickText()
  const { message } = Feedback.useApp()
  const [form] = Form.useForm<Fields>()
  const [cause, setCause] = useState<unknown>()
  const create = useCreateApp()
  const change = useChangeApp(app?.id ?? '')

  const submit = async (fields: Fields) => {
    setCause(undefined)
    const body = { name: tidy(fields.name), description: tidy(fields.description) }
    try {
      if (app) {
        await change.mutateAsync(body)
        message.success(text.common.saved)
        close()
        return
      }
      const fresh = await create.mutateAsync(body)
      message.success(text.apps.created(pick(fresh.name)))
      close()
      made?.(fresh)
    } catch (refusal) {
      setCause(showFaults(form, names, refusal))
    }
  }

  return (
    <Modal
      open={open}
      title={app ? text.apps.editTitle : text.apps.create}
      okText={app ? text.common.save : text.apps.create}
      cancelText={text.common.cancel}
      confirmLoading={create.isPending || change.isPending}
      onOk={form.submit}
      onCancel={close}
      afterClose={() => setCause(undefined)}
      destroyOnHidden
      width={620}
    >
      <Form form={form} layout="vertical" onFinish={submit} preserve={false} initialValues={app ? { name: app.name, description: app.description } : {}}>
        <FormFault cause={cause} />
        <p className="soft form-fault">{text.apps.nameHint}</p>
        <TextFields name="name" label={text.apps.name} need={text.apps.needName} most={80} focus />
        <TextFields name="description" label={text.common.optional(text.apps.description)} most={2000} rows={2} />
        <button type="submit" hidden aria-hidden="true" tabIndex={-1} />
      </Form>
    </Modal>
  )
}
