import { Alert, App as Feedback, Button } from 'antd'
import { useConfirmClock, useStatus } from '../../api/status'
import { useFormat } from '../../i18n/format'
import { useText } from '../../i18n/text'
import { useCan } from '../../parts/can'
import { useSentence } from '../../parts/state'

/** That the clock jumped ahead and nothing old is cleared until somebody says that it is right. */
export function ClockNotice() {
  const words = useText().clock
  const format = useFormat()
  const mayConfirm = useCan('file:write')
  const purge = useStatus().data?.purge
  if (!purge?.held) return null
  const since = format.dateTime(purge.since)
  return (
    <Alert
      className="notice"
      type="warning"
      showIcon
      role="alert"
      title={words.title}
      description={
        <>
          <p>{purge.last_seen ? words.jumped(format.dateTime(purge.last_seen), since) : words.jumpedTo(since)}</p>
          <p>{words.meaning}</p>
          <p>{mayConfirm ? words.todo : words.othersDo}</p>
        </>
      }
      action={mayConfirm && <Confirm />}
    />
  )
}

/** Asks once more, beside what the clock shows at that moment. */
function Confirm() {
  const text = useText()
  const words = text.clock
  const format = useFormat()
  const sentence = useSentence()
  const { modal, message } = Feedback.useApp()
  const status = useStatus()
  const confirm = useConfirmClock()
  const ask = async () => {
    const now = (await status.refetch()).data?.now
    void modal.confirm({
      title: words.askTitle,
      content: (
        <>
          <p>{words.shows(format.dateTime(now))}</p>
          <p>{words.askHint}</p>
        </>
      ),
      okText: words.confirm,
      cancelText: text.common.cancel,
      async onOk() {
        try {
          await confirm.mutateAsync()
          message.success(words.confirmed)
        } catch (refusal) {
          message.error(sentence(refusal))
        }
      },
    })
  }
  return (
    <Button size="small" loading={status.isRefetching || confirm.isPending} onClick={() => void ask()}>
      {words.confirm}
    </Button>
  )
}
