import { DownloadOutlined } from '../../parts/icons'
import { Button } from 'antd'
import { useSample, type App } from '../../api/apps'
import { save } from '../../api/download'
import { useText } from '../../i18n/text'
import { useCan } from '../../parts/can'
import { CodeBlock } from '../../parts/code_block'
import { Copyable } from '../../parts/copy'
import { Loaded } from '../../parts/state'

/** How to make the app run on card keys: the SDK, the filled-in sample, and what to type. */
export function Connect({ app, generate }: { app: App; generate: () => void }) {
  const text = useText()
  const words = text.connect
  const mayGenerate = useCan('batches:write')
  return (
    <section className="sheet pad stack loose">
      <p className="soft">{words.intro}</p>
      <Loaded query={useSample(app.id)}>
        {(sample) => {
          const folder = sample.filename.replace(/\.[^.]*$/, '')
          const fetchSdk = `mkdir ${folder} && cd ${folder}\ncurl -fO ${sample.server_url}${sample.sdk_url}`
          return (
            <ol className="guide">
              <li>
                <div>
                  <h2>{words.step1}</h2>
                  <p className="soft">{words.step1Hint}</p>
                  <CodeBlock name={words.commands} code={fetchSdk} />
                  <div className="row">
                    <Button icon={<DownloadOutlined />} href={sample.sdk_url} download="goldfish.py">
                      {words.downloadSdk}
                    </Button>
                    <span className="soft row">
                      {words.server}
                      <Copyable value={sample.server_url} what={words.server} />
                    </span>
                  </div>
                </div>
              </li>
              <li>
                <div>
                  <h2>{words.step2}</h2>
                  <p className="soft">{words.step2Hint(sample.filename)}</p>
                  <CodeBlock
                    name={sample.filename}
                    code={sample.text}
                    actions={
                      <Button
                        type="text"
                        size="small"
                        icon={<DownloadOutlined />}
                        aria-label={words.downloadSample(sample.filename)}
                        onClick={() => save(new Blob([sample.text], { type: 'text/x-python;charset=utf-8' }), sample.filename)}
                      >
                        {text.common.download}
                      </Button>
                    }
                  />
                </div>
              </li>
              <li>
                <div>
                  <h2>{words.step3}</h2>
                  <p className="soft">{words.step3Hint}</p>
                  <CodeBlock name={words.commands} code={`${sample.command} --register\n${sample.command}`} />
                  {app.cards.unused === 0 && mayGenerate && (
                    <p>
                      <button type="button" className="link-button" onClick={generate}>
                        {words.needKey}
                      </button>
                    </p>
                  )}
                </div>
              </li>
            </ol>
          )
        }}
      </Loaded>
    </section>
  )
}
