import { App as Feedback, Button, Form, Input, Modal, Steps } from 'antd'
import { useState } from 'react'
import { useConfirmRecovery, useMakeRecovery } from '../../api/keyring'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { CopyButton } from '../../parts/copy'
import { showFaults } from '../../parts/faults'
import { PrinterOutlined } from '../../parts/icons'
import { FormFault } from '../../parts/state'
import { PasswordStep } from './password_step'
import { sameCode } from './same_code'

/** The way to a recovery code: prove who you are, keep the code, type it again. Only then does it count. */
export function RecoveryDialog({ open, close }: { open: boolean; close: () => void }) {
  const text = useText()
  const words = text.keyring
  const { modal } = Feedback.useApp()
  const [step, setStep] = useState(0)
  const [code, setCode] = useState('')
  const leave = () => {
    setCode('')
    setStep(0)
    close()
  }
  const ask = () => {
    if (!code) leave()
    else
      void modal.confirm({
        title: words.abandonTitle,
        content: words.abandonHint,
        okText: words.abandon,
        cancelText: words.goOn,
        okButtonProps: { danger: true },
        onOk: leave,
      })
  }
  const { prove, keep, retype } = words.steps
  return (
    <Modal
      open={open}
      onCancel={ask}
      title={words.makeRecovery}
      footer={null}
      width={560}
      closable={{ 'aria-label': text.common.close }}
      mask={{ closable: false }}
      destroyOnHidden
    >
      <div className="stack">
        <Steps size="small" responsive={false} current={step} items={[{ title: prove }, { title: keep }, { title: retype }]} />
        {step === 0 && (
          <Prove
            done={(shown) => {
              setCode(shown)
              setStep(1)
            }}
          />
        )}
        {step === 1 && <Keep code={code} next={() => setStep(2)} />}
        {step === 2 && <Retype code={code} look={() => setStep(1)} done={leave} />}
      </div>
    </Modal>
  )
}

function Prove({ done }: { done: (code: string) => void }) {
  const words = useText().keyring
  const make = useMakeRecovery()
  return (
    <PasswordStep hint={words.prove} submitText={words.showCode} submit={async (password) => done((await make.mutateAsync(password)).code)} />
  )
}

/** The code, shown this once. Printing gives this part of the page alone. */
function Keep({ code, next }: { code: string; next: () => void }) {
  const text = useText()
  const words = text.keyring
  const format = useFormat()
  const [made] = useState(() => new Date().toISOString())
  return (
    <>
      <p>{words.codeOnce}</p>
      <div className="recovery-code printed">
        <span className="print-only print-title">{words.printTitle}</span>
        <code aria-label={words.codeTitle}>{code}</code>
        <span className="print-only">{words.printedFor(location.host, format.dateTime(made))}</span>
        <span className="print-only">{words.printHint}</span>
      </div>
      <div className="row spread">
        <span className="row">
          <CopyButton value={code} what={words.recovery} worded type="default" size="middle" />
          <Button icon={<PrinterOutlined />} onClick={() => window.print()}>
            {words.print}
          </Button>
        </span>
        <Button type="primary" onClick={next}>
          {words.kept}
        </Button>
      </div>
    </>
  )
}

function Retype({ code, look, done }: { code: string; look: () => void; done: () => void }) {
  const text = useText()
  const words = text.keyring
  const { message } = Feedback.useApp()
  const [form] = Form.useForm<{ code: string }>()
  const [cause, setCause] = useState<unknown>()
  const confirm = useConfirmRecovery()
  const submit = async (fields: { code: string }) => {
    setCause(undefined)
    try {
      await confirm.mutateAsync(fields.code.trim())
      message.success(words.done)
      done()
    } catch (refusal) {
      setCause(showFaults(form, ['code'], refusal))
    }
  }
  const judge = (_: unknown, value: string | undefined) => {
    if (!value?.trim()) return Promise.reject(new Error(words.needRetyped))
    return sameCode(value, code) ? Promise.resolve() : Promise.reject(new Error(words.differs))
  }
  return (
    <Form form={form} layout="vertical" onFinish={submit} disabled={confirm.isPending} validateTrigger={[]}>
      <p className="soft form-fault">{words.retype}</p>
      <FormFault cause={cause} />
      <Form.Item name="code" label={words.retyped} extra={text.recovery.codeHint} rules={[{ validator: judge }]}>
        <Input className="mono" autoComplete="off" spellCheck={false} autoFocus maxLength={200} />
      </Form.Item>
      <div className="row spread">
        <Button type="link" className="flush" onClick={look}>
          {words.look}
        </Button>
        <Button type="primary" htmlType="submit" loading={confirm.isPending}>
          {words.finish}
        </Button>
      </div>
    </Form>
  )
}
