import { Tooltip } from 'antd'
import { createContext, useContext } from 'react'
import type { Live, LiveState } from '../api/live'
import { useText } from '../i18n/text'
import { cell, useCell } from './cell'
import { Dot, type Mood } from './dot'

const none: Live = { state: cell<LiveState>('off'), start() {}, stop() {}, hurry() {} }

/** The tab's live line. */
export const LineContext = createContext<Live>(none)

export function useLineIsUp(): boolean {
  return useCell(useContext(LineContext).state) === 'on'
}

const moods: Record<LiveState, Mood> = { on: 'good', connecting: 'warn', waiting: 'warn', off: 'calm' }

/** Says whether pages update by themselves. */
export function LineState() {
  const text = useText()
  const line = useContext(LineContext)
  const state = useCell(line.state)
  return (
    <Tooltip title={text.live.hint[state]}>
      <button type="button" className="line-state" data-line={state} onClick={() => line.hurry()}>
        <Dot mood={moods[state]} />
        <span role="status">{text.live[state]}</span>
      </button>
    </Tooltip>
  )
}
