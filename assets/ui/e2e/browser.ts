import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'

const shots = fileURLToPath(new URL('./shots/', import.meta.url))

/** Debian's Chromium; CHROMIUM names another one. */
export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/** A page whose every complaint and every request to elsewhere is written down. */
export interface Watched {
  context: BrowserContext
  page: Page
  /** What must stay empty: script errors, console errors, policy violations, requests to other origins. */
  complaints: string[]
  /** Lets the browser's own lines about requests refused with these pass, while `work` runs and the test expects it. */
  refusing(statuses: number | number[], work: () => Promise<unknown>): Promise<void>
  /** Lets the browser's lines about a server that does not answer pass, while `work` runs. */
  cutOff(work: () => Promise<unknown>): Promise<void>
  /** A picture of the window, or of the whole page. */
  shot(name: string, whole?: boolean): Promise<void>
}

export async function watched(browser: Browser, origins: string[], language: 'zh' | 'en', width = 1280): Promise<Watched> {
  const context = await browser.newContext({
    locale: language === 'zh' ? 'zh-CN' : 'en-US',
    viewport: { width, height: width > 600 ? 860 : 760 },
    timezoneId: 'Asia/Shanghai',
    acceptDownloads: true,
  })
  const page = await context.newPage()
  const complaints: string[] = []
  let expected: number[] = []
  let away = false
  page.on('pageerror', (cause) => complaints.push(`error: ${cause.message}`))
  page.on('console', (line) => {
    if (line.type() !== 'error' && line.type() !== 'warning') return
    const own = /Failed to load resource: the server responded with a status of (\d+)/.exec(line.text())
    if (own && expected.includes(Number(own[1]))) return
    // One that comes back answers 503 until its file is open.
    if (away && (/net::ERR_(CONNECTION_|EMPTY_)|WebSocket is closed before/.test(line.text()) || own?.[1] === '503')) return
    complaints.push(`${line.type()}: ${line.text()} (${page.url()})`)
  })
  const look = (url: string) => {
    if (/^(data|blob):/.test(url)) return
    const { protocol, host } = new URL(url)
    const origin = `${protocol.replace('ws', 'http')}//${host}`
    if (!origins.includes(origin)) complaints.push(`request to ${url}`)
  }
  page.on('request', (request) => look(request.url()))
  page.on('websocket', (socket) => look(socket.url()))
  let count = 0
  return {
    context,
    page,
    complaints,
    async refusing(statuses, work) {
      expected = [statuses].flat()
      try {
        await work()
      } finally {
        expected = []
      }
    },
    async cutOff(work) {
      away = true
      try {
        await work()
      } finally {
        away = false
      }
    },
    async shot(name, whole = false) {
      mkdirSync(shots, { recursive: true })
      if (whole) await page.evaluate(() => window.scrollTo(0, 0)) // what sticks to the window is drawn where it stands
      const number = String(++count).padStart(2, '0')
      await page.screenshot({ path: `${shots}${language}-${width}-${number}-${name}.png`, animations: 'disabled', fullPage: whole })
    },
  }
}

/** By how many pixels the page is wider than the window. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
}
