import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, overflow, watched } from './browser'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))
const types: Record<string, string> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css' }

/** The policy of the appliance, with the nonce of one response. */
const policy = (nonce: string) =>
  [
    `default-src 'none'`,
    `script-src 'self' 'nonce-${nonce}'`,
    `style-src 'self' 'nonce-${nonce}'`,
    `img-src 'self' data: blob:`,
    `font-src 'self'`,
    `connect-src 'self'`,
    `base-uri 'none'`,
    `form-action 'self'`,
    `frame-ancestors 'none'`,
  ].join('; ')

/** Serves the built files as the appliance does: every path that is no file is the page, with a fresh nonce. */
function serve(): Promise<Server> {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', 'http://x').pathname
    const file = extname(path) ? path : '/index.html'
    try {
      let content: string | Buffer = await readFile(join(dist, file))
      response.setHeader('Content-Type', types[extname(file)] ?? 'application/octet-stream')
      response.setHeader('X-Content-Type-Options', 'nosniff')
      if (file === '/index.html') {
        const nonce = randomBytes(16).toString('base64')
        content = content.toString().replaceAll('__CSP_NONCE__', nonce)
        response.setHeader('Content-Security-Policy', policy(nonce))
      }
      response.end(content)
    } catch {
      response.statusCode = 404
      response.end()
    }
  })
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)))
}

const counts = { unused: 5, active: 3, expired: 1, disabled: 1, deleted: 0, total: 10 }
const app = {
  id: '3f0c1f0e-6c0b-4f5e-9d5a-0b8f5b1c2d3e',
  name: { zh: '剪辑', en: 'Cut' },
  description: { zh: '', en: '' },
  state: 'enabled',
  created_at: '2026-11-01T08:00:00Z',
  keys: [],
  policy: { device_tolerance: 'two_of_three', grace_days: 7, heartbeat_seconds: 300, device_key: 'required' },
  cards: counts,
  devices: { bound: 2, online: 1 },
}
const can = ['dashboard:read', 'apps:read', 'apps:write', 'batches:write', 'announcements:read', 'announcements:write']
const user = { id: 'u', username: 'admin', name: '', email: '', role: 'owner', must_change_password: false, permissions: can, created_at: app.created_at }
const days = Array.from({ length: 30 }, (_, day) => ({ day: `2026-11-${String(day + 1).padStart(2, '0')}`, count: day }))

/** The few answers that it takes to open every kind of part that brings styles of its own. */
const answers: Record<string, unknown> = {
  '/api/v1/auth/login': { access_token: 'T', expires_in: 7200, data: { user } },
  '/api/v1/admin/dashboard': { data: { apps: 1, accounts: 1, cards: counts, devices: app.devices, activations: days, recent: [], steps: { app: true, keys: true, connected: false } } },
  '/api/v1/admin/apps': { data: { items: [app], next: '' } },
  '/api/v1/admin/announcements': { data: { items: [], next: '' } },
  '/api/v1/admin/status': { data: { version: '1', started_at: app.created_at, data_file: '/x', file_bytes: 1, console_url: '', client_url: '', now: app.created_at } },
}

async function answerFor(page: Page) {
  await page.route('**/api/**', (route) => {
    const body = answers[new URL(route.request().url()).pathname]
    // The live line is not part of this test: its ticket never comes.
    if (body) void route.fulfill({ json: body })
  })
}

let browser: Browser
let server: Server
let origin = ''

beforeAll(async () => {
  server = await serve()
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  browser = await launch()
})

afterAll(async () => {
  await browser?.close()
  server?.closeAllConnections()
  server?.close()
})

test('the built page holds nothing inline that lacks the nonce, and no style attribute', async () => {
  const html = await readFile(join(dist, 'index.html'), 'utf8')
  for (const tag of html.match(/<(script|style|link rel="(?:stylesheet|modulepreload)")[^>]*>/g) ?? []) {
    expect(tag).toContain('nonce="__CSP_NONCE__"')
  }
  expect(html).not.toMatch(/\sstyle=|\son\w+=/)
  expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//)
})

test('the policy is in force: a style without the nonce is refused and noticed', async () => {
  const { page, complaints, context } = await watched(browser, [origin], 'zh')
  await page.goto(origin)
  await page.getByRole('button', { name: '登录' }).waitFor()
  await page.evaluate(() => {
    document.head.append(Object.assign(document.createElement('style'), { textContent: 'h1 { color: red }' }))
  })
  await expect.poll(() => complaints.join()).toContain('Content Security Policy')
  await context.close()
})

test.each(['zh', 'en'] as const)('every part lives under the strict policy and asks nobody else (%s)', async (language) => {
  const { page, complaints, context, shot } = await watched(browser, [origin], language)
  const zh = language === 'zh'
  await answerFor(page)
  await page.goto(origin)
  await page.getByLabel(zh ? '用户名或邮箱' : 'User name or e-mail').fill('admin')
  await page.getByLabel(zh ? '密码' : 'Password', { exact: true }).fill('x')
  await page.getByRole('button', { name: zh ? '登录' : 'Sign in' }).click()

  // Chart with its tooltip, menu, hint of the live line.
  const chart = page.getByRole('img', { name: zh ? '近 30 天每天的激活次数' : 'Activations on each of the last 30 days' })
  await chart.locator('canvas').waitFor()
  await chart.hover()
  await page.locator('.line-state').hover()
  await page.getByRole('tooltip').waitFor()
  await shot('csp-overview')
  await page.getByRole('button', { name: zh ? '我的账户' : 'My account' }).click()
  await page.getByRole('menuitem').first().waitFor()
  await page.keyboard.press('Escape')

  // Dialog (it locks the page's scroll bar), choices, field errors, calendar.
  await page.getByRole('link', { name: zh ? '应用' : 'Apps', exact: true }).first().click()
  await page.getByRole('button', { name: zh ? '创建应用' : 'Create an app' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: zh ? '创建应用' : 'Create an app' }).click()
  await dialog.getByText(zh ? '请至少用一种语言填写名称' : 'Please write the name in at least one language').waitFor()
  await expect.poll(() => page.evaluate(() => getComputedStyle(document.body).overflowY)).toBe('hidden')
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })

  await page.getByRole('link', { name: zh ? '公告' : 'Announcements', exact: true }).first().click()
  await page.getByRole('button', { name: zh ? '新建公告' : 'New announcement' }).first().click()
  await page.getByRole('dialog').getByRole('textbox').first().fill('<b>x</b><img src=x onerror=alert(1)>')
  await page.getByRole('combobox').first().click()
  await page.getByRole('option').first().waitFor({ state: 'attached' })
  await page.keyboard.press('Escape')
  await page.getByLabel(zh ? '自动过期（选填）' : 'Expires (optional)').click()
  await page.locator('.ant-picker-cell').first().waitFor()
  await shot('csp-compose')
  expect(await page.locator('.preview img, .preview b').count()).toBe(0)

  expect(await overflow(page)).toBe(0)
  expect(complaints).toEqual([])
  await context.close()
})
