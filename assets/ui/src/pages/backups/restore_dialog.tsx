import { Alert, Button, Checkbox, Form, Input, Modal } from 'antd'
import { useState } from 'react'
import { useReport, useRestore, type Backup, type BackupReport } from '../../api/backups'
import { appliance } from '../../api/standing'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { showFaults } from '../../parts/faults'
import { FormFault, Loaded } from '../../parts/state'
import { Looking } from './looking'
import { Report } from './report'

interface Fields {
  password: string
  understood: boolean
}

/** Looks at a backup, says what is lost by going back to it, and restores it. Open while one is given. */
export function RestoreDialog({ backup, close }: { backup: Backup | undefined; close: () => void }) {
  const text = useText()
  return (
    <Modal
      open={backup !== undefined}
      onCancel={close}
      title={text.restore.title}
      footer={null}
      width={620}
      closable={{ 'aria-label': text.common.close }}
      mask={{ closable: false }}
      destroyOnHidden
    >
      {backup && <Judged backup={backup} close={close} />}
    </Modal>
  )
}

function Judged({ backup, close }: { backup: Backup; close: () => void }) {
  return (
    <Loaded query={useReport(backup)} waiting={<Looking />}>
      {(report) => (
        <div className="stack">
          <Losses report={report} backup={backup} />
          <Report report={report} made={backup.changed_at} brief />
          <Confirm backup={backup} close={close} />
        </div>
      )}
    </Loaded>
  )
}

function Losses({ report, backup }: { report: BackupReport; backup: Backup }) {
  const text = useText()
  const words = text.restore
  const format = useFormat()
  const points = report.seal === 'other_machine' ? [text.restoreDoor.sealed, ...words.points] : words.points
  return (
    <Alert
      type="error"
      showIcon
      title={words.loses(format.dateTime(report.newest_at ?? backup.changed_at))}
      description={
        <>
          <p>{words.losesHint}</p>
          <ul className="points">
            {points.map((point) => (
              <li key={point}>{point}</li>
            ))}
          </ul>
        </>
      }
    />
  )
}

function Confirm({ backup, close }: { backup: Backup; close: () => void }) {
  const text = useText()
  const words = text.restore
  const [form] = Form.useForm<Fields>()
  const [cause, setCause] = useState<unknown>()
  const restore = useRestore()
  const submit = async ({ password }: Fields) => {
    setCause(undefined)
    try {
      await restore.mutateAsync({ backup, password })
      close()
      appliance.expect('restore')
    } catch (refusal) {
      setCause(showFaults(form, ['password'], refusal))
    }
  }
  const understands = (_: unknown, value: boolean | undefined) => (value ? Promise.resolve() : Promise.reject(new Error(words.needUnderstood)))
  return (
    <Form form={form} layout="vertical" onFinish={submit} disabled={restore.isPending}>
      <FormFault cause={cause} />
      <Form.Item name="password" label={words.password} rules={[{ required: true, message: words.needPassword }]}>
        <Input.Password autoComplete="current-password" className="narrow" />
      </Form.Item>
      <Form.Item name="understood" valuePropName="checked" rules={[{ validator: understands }]}>
        <Checkbox>{words.understood}</Checkbox>
      </Form.Item>
      <div className="row end">
        <Button onClick={close}>{text.common.cancel}</Button>
        <Button type="primary" danger htmlType="submit" loading={restore.isPending}>
          {words.submit}
        </Button>
      </div>
    </Form>
  )
}
