import { readFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, overflow, watched } from './browser'
import { answerFor, dist, serve } from './built'

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
  await answerFor(page)
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
