import { GlobalOutlined } from './icons'
import { Button } from 'antd'
import { chooseLanguage, language } from '../i18n/language'
import { useCell } from './cell'

/** Switches to the other language; named in that language, so that whoever needs it can read it. */
export function LanguageSwitch() {
  const other = useCell(language) === 'zh' ? 'en' : 'zh'
  const name = other === 'zh' ? '中文' : 'English'
  return (
    <Button type="text" icon={<GlobalOutlined />} lang={other === 'zh' ? 'zh-CN' : 'en'} onClick={() => chooseLanguage(other)}>
      {name}
    </Button>
  )
}
