import { afterEach, describe, expect, it, vi } from 'vitest'
import { language } from '../i18n/language'
import { address, ask, Fault, faultOf } from './wire'

afterEach(() => {
  vi.unstubAllGlobals()
  language.set('zh')
})

const problem = (status: number, body: unknown) => new Response(typeof body === 'string' ? body : JSON.stringify(body), { status })

describe('address', () => {
  it('leaves out what is not given and writes the rest safely', () => {
    expect(address('/cards', { app_id: '', state: undefined, key: null, limit: 50, online: false })).toBe('/cards?limit=50&online=false')
    expect(address('/cards', { key: 'AB&C=1 ０' })).toBe('/cards?key=AB%26C%3D1+%EF%BC%90')
    expect(address('/apps')).toBe('/apps')
  })
})

describe('faultOf', () => {
  it('keeps the server’s sentence, code and fields', async () => {
    const fault = await faultOf(
      problem(422, { code: 'invalid', message: '有内容不正确。', errors: [{ field: 'count', code: 'value_range', message: '太多' }] }),
    )
    expect(fault).toMatchObject({ status: 422, code: 'invalid', message: '有内容不正确。' })
    expect(fault.fields).toEqual([{ field: 'count', code: 'value_range', message: '太多' }])
  })

  it('makes a field error of a single field', async () => {
    const fault = await faultOf(problem(400, { code: 'until_past', message: '已过去', field: 'expires_at' }))
    expect(fault.fields).toEqual([{ field: 'expires_at', code: 'until_past', message: '已过去' }])
  })

  it('has a sentence of its own for what is no problem document', async () => {
    for (const body of ['<html>bad gateway</html>', 'null', '[]', '{}', '']) {
      const fault = await faultOf(problem(502, body))
      expect(fault).toMatchObject({ status: 502, code: 'unreadable' })
      expect(fault.message).toContain('502')
    }
  })
})

describe('ask', () => {
  it('sends JSON, the bearer and the language, and never the token in the address', async () => {
    const calls: [string, RequestInit][] = []
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
      calls.push([url, init])
      return Promise.resolve(new Response('{}'))
    })
    language.set('en')
    await ask('/api/x', { method: 'POST', body: { a: 1 }, token: 'secret', query: { q: 'z' } })
    const [url, init] = calls[0]!
    expect(url).toBe('/api/x?q=z')
    expect(init).toMatchObject({ method: 'POST', body: '{"a":1}', credentials: 'same-origin' })
    expect(init.headers).toEqual({ 'Accept-Language': 'en', 'Content-Type': 'application/json', Authorization: 'Bearer secret' })
  })

  it('gives up on an answer that does not begin', async () => {
    vi.useFakeTimers()
    vi.stubGlobal('fetch', (_: string, init: RequestInit) => {
      return new Promise((_done, fail) => init.signal?.addEventListener('abort', () => fail(new DOMException('aborted', 'AbortError'))))
    })
    const asked = expect(ask('/api/x')).rejects.toMatchObject({ code: 'network' })
    await vi.advanceTimersByTimeAsync(30_000)
    await asked
    vi.useRealTimers()
  })

  it('calls a lost connection by its name, but lets an abort be an abort', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('failed')))
    await expect(ask('/api/x')).rejects.toMatchObject({ status: 0, code: 'network' })
    await expect(ask('/api/x', { signal: AbortSignal.abort() })).rejects.not.toBeInstanceOf(Fault)
  })
})
