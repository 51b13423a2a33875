import type { LogEvent } from '../api/dashboard'
import { useFormat } from '../i18n/format'
import { useText, wordOf, type Texts } from '../i18n/text'
import { Dot, type Mood } from './dot'

const moods: Record<string, Mood> = { info: 'good', warning: 'warn', error: 'bad', critical: 'bad' }

/** Who did it, as people say it. */
export function actorName(actor: LogEvent['actor'], words: Texts['events']['actor']): string {
  return actor.name || wordOf(words, actor.kind)
}

/** What happened, in words: by its kind and reason where the two together mean something else than the kind. */
export function sentenceOf({ kind, code }: Pick<LogEvent, 'kind' | 'code'>, words: Record<string, string>): string {
  return words[`${kind}:${code}`] ?? wordOf(words, kind)
}

/** What happened, newest first: the sentence, when, and by whom. */
export function Happenings({ events }: { events: LogEvent[] }) {
  const text = useText()
  const format = useFormat()
  return (
    <ul className="happenings">
      {events.map((event, place) => {
        const reason = event.args?.['reason']
        const notes = [
          text.events.by(actorName(event.actor, text.events.actor)),
          event.address,
          reason ? text.events.reason(reason) : '',
        ]
        return (
          // Events out of a card's own history have no number.
          <li key={event.seq || `${event.time} ${place}`}>
            <Dot mood={moods[event.level] ?? 'calm'} />
            <span>{sentenceOf(event, text.events.kinds)}</span>
            <time dateTime={event.time ?? undefined} title={format.dateTime(event.time)}>
              {format.ago(event.time)}
            </time>
            <small>{notes.filter(Boolean).join(' · ')}</small>
          </li>
        )
      })}
    </ul>
  )
}
