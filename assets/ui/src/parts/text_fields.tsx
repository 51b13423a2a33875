import { Form, Input } from 'antd'
import type { Rule } from 'antd/es/form'
import { language, type Language } from '../i18n/language'
import { useText } from '../i18n/text'
import { useCell } from './cell'

interface TextFieldsProps {
  /** The member of the form that holds {zh, en}. */
  name: string
  label: string
  /** The sentence for when neither language is filled; without one both may be empty. */
  need?: string
  most: number
  rows?: number
  /** Takes the focus when the form opens. */
  focus?: boolean
}

/** A text by the vendor in two languages, of which one is enough. */
export function TextFields({ name, label, need, most, rows, focus }: TextFieldsProps) {
  const text = useText()
  const form = Form.useFormInstance()
  const lang = useCell(language)
  const short: Rule = { max: most, message: text.generate.tooLong(most) }
  const either: Rule[] = []
  if (need) {
    either.push({
      validator: () => {
        const value = form.getFieldValue(name) as { zh?: string; en?: string } | undefined
        return value?.zh?.trim() || value?.en?.trim() ? Promise.resolve() : Promise.reject(new Error(need))
      },
    })
  }
  const field = (tongue: Language) => {
    const first = tongue === lang
    return (
      <Form.Item
        key={tongue}
        name={[name, tongue]}
        label={text.common.inLanguage(label, tongue === 'zh' ? text.common.chinese : text.common.english)}
        rules={first ? [short, ...either] : [short]}
        dependencies={first && need ? [[name, lang === 'zh' ? 'en' : 'zh']] : []}
        validateFirst
      >
        {rows ? (
          <Input.TextArea rows={rows} lang={tongue} />
        ) : (
          <Input autoComplete="off" lang={tongue} autoFocus={focus && first} />
        )}
      </Form.Item>
    )
  }
  return (
    <div className="form-grid">
      {field(lang)}
      {field(lang === 'zh' ? 'en' : 'zh')}
    </div>
  )
}
