import { Modal } from 'antd'
import { useState } from 'react'
import type { Batch } from '../../api/batches'
import type { Job } from '../../api/jobs'
import { useText } from '../../i18n/text'
import { GenerateForm } from './generate_form'
import { GenerateProgress } from './generate_progress'

interface GenerateProps {
  open: boolean
  close: () => void
  /** The app that is chosen to begin with. */
  appId?: string
}

/** The window in which card keys are generated: first what, then how far. */
export function Generate({ open, close, appId }: GenerateProps) {
  const text = useText()
  const [work, setWork] = useState<{ batch: Batch; job: Job }>()
  return (
    <Modal
      open={open}
      title={work?.batch.name || text.generate.title}
      onCancel={close}
      afterClose={() => setWork(undefined)}
      footer={null}
      destroyOnHidden
      mask={{ closable: false }}
      width={640}
    >
      {work ? (
        <GenerateProgress batch={work.batch} jobId={work.job.id} again={() => setWork(undefined)} close={close} />
      ) : (
        <GenerateForm appId={appId} begun={setWork} close={close} />
      )}
    </Modal>
  )
}
