import { language, tagOf } from '../i18n/language'
import { currentText } from '../i18n/text'
import { notice } from './standing'
import { Fault, faultOf } from './wire'

/** How far a file is: `sent` of `total` bytes have left. */
export type Sent = (sent: number, total: number) => void

/**
 * Sends a file as it is and gives the `data` of the envelope. Unlike fetch, XMLHttpRequest tells how much
 * has been sent. Throws a Fault for anything but success, and the signal's reason when it was given up.
 */
export function upload<T>(path: string, file: Blob, sent: Sent, signal: AbortSignal): Promise<T> {
  return new Promise((done, fail) => {
    const asking = new XMLHttpRequest()
    asking.open('POST', path)
    asking.setRequestHeader('Content-Type', 'application/octet-stream')
    asking.setRequestHeader('Accept-Language', tagOf[language.get()])
    asking.upload.addEventListener('progress', ({ loaded, total }) => sent(loaded, total))
    asking.addEventListener('load', () => {
      const answer = new Response(asking.responseText, { status: asking.status })
      if (answer.ok) {
        done((JSON.parse(asking.responseText) as { data: T }).data)
        return
      }
      void faultOf(answer).then((fault) => {
        notice(fault)
        fail(fault)
      })
    })
    asking.addEventListener('error', () => fail(new Fault(0, 'network', currentText().fault.network)))
    asking.addEventListener('abort', () => fail(signal.reason))
    signal.addEventListener('abort', () => asking.abort())
    asking.send(file)
  })
}
