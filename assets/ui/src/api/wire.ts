import { currentText } from '../i18n/text'
import { language, tagOf } from '../i18n/language'

/** One member that the server refused, and why, in the caller's language. */
export interface FieldFault {
  field: string
  code: string
  message: string
}

/** A refusal by the server, or `network` (status 0) when no answer came. `message` is for people. */
export class Fault extends Error {
  readonly status: number
  readonly code: string
  readonly fields: FieldFault[]

  constructor(status: number, code: string, message: string, fields: FieldFault[] = []) {
    super(message)
    this.name = 'Fault'
    this.status = status
    this.code = code
    this.fields = fields
  }
}

export type Query = Record<string, string | number | boolean | undefined | null>

export interface Ask {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  query?: Query
  body?: unknown
  token?: string
  signal?: AbortSignal
  /** How long the answer may take to begin, in milliseconds; half a minute unless told. A file may then take as long as it needs. */
  patience?: number
}

/** The address with every given member of the query; empty ones are left out. */
export function address(path: string, query: Query = {}): string {
  const parts = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') parts.set(name, String(value))
  }
  const text = parts.toString()
  return text ? `${path}?${text}` : path
}

const usualPatience = 30_000

/** Asks once. Throws a Fault for anything but success. */
export async function ask(path: string, how: Ask = {}): Promise<Response> {
  const { method = 'GET', query, body, token, signal, patience: most = usualPatience } = how
  const headers: Record<string, string> = { 'Accept-Language': tagOf[language.get()] }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  if (token) headers['Authorization'] = `Bearer ${token}`
  let answer: Response
  const patience = new AbortController()
  const giveUp = () => patience.abort()
  const timer = setTimeout(giveUp, most)
  signal?.addEventListener('abort', giveUp)
  if (signal?.aborted) giveUp()
  try {
    answer = await fetch(address(path, query), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: 'same-origin',
      cache: 'no-store',
      signal: patience.signal,
    })
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw new Fault(0, 'network', currentText().fault.network)
  } finally {
    clearTimeout(timer)
  }
  if (!answer.ok) throw await faultOf(answer)
  return answer
}

/** The problem document of a refusal. What is no such document gets a sentence of our own. */
export async function faultOf(answer: Response): Promise<Fault> {
  const text = currentText().fault
  let problem: unknown = null
  try {
    problem = await answer.json()
  } catch {
    // a proxy's page or nothing: the status says enough
  }
  if (!isRecord(problem)) return new Fault(answer.status, 'unreadable', text.unreadable(answer.status))
  const message = textOf(problem['message']) || textOf(problem['detail']) || text.unreadable(answer.status)
  const code = textOf(problem['code']) || 'unreadable'
  const fields = Array.isArray(problem['errors']) ? problem['errors'].filter(isRecord).map(fieldOf) : []
  const field = textOf(problem['field'])
  if (field && fields.length === 0) fields.push({ field, code, message })
  return new Fault(answer.status, code, message, fields)
}

function fieldOf(item: Record<string, unknown>): FieldFault {
  return { field: textOf(item['field']), code: textOf(item['code']), message: textOf(item['message']) }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
