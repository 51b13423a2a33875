import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { texts } from '../src/i18n/text'
import { startAppliance, until, type Appliance, type Program } from './appliance'
import { launch, overflow, watched, type Watched } from './browser'
import { dialogOf, fillSignIn, firstPassword, go, password } from './story'

// A vendor's first hour against the real binary, in both languages: from the documented first account to
// the order that stops a customer's program. Whatever the browser complains of fails the test.

const customer = { username: 'xiaoyu', password: 'Koi-Pond-2026', device: 'desk' }

let browser: Browser

beforeAll(async () => {
  browser = await launch()
})

afterAll(async () => {
  await browser?.close()
})

/** One hour: the appliance, the watched browser, the texts, and what the steps hand on. */
interface Hour {
  appliance: Appliance
  watch: Watched
  page: Page
  language: 'zh' | 'en'
  text: (typeof texts)['zh']
  appName: string
  cardKey: string
}

test.each(['zh', 'en'] as const)('the first hour (%s)', async (language) => {
  const appliance = await startAppliance()
  const watch = await watched(browser, [appliance.consoleUrl], language)
  const hour: Hour = {
    appliance,
    watch,
    page: watch.page,
    language,
    text: texts[language],
    appName: language === 'zh' ? '极速剪辑' : 'Swift Cut',
    cardKey: '',
  }
  let sample: Program | undefined
  try {
    await signIn(hour)
    await changeFirstPassword(hour)
    await createApp(hour)
    await generate(hour)
    await cancelGeneration(hour)
    await connect(hour)
    sample = await seeDeviceComeOnline(hour)
    await announce(hour, sample)
    await disable(hour, sample)
    await lookAround(hour)
    await outlastRestart(hour)
    await comeAndGo(hour)
    expect(watch.complaints).toEqual([])
    await onAPhone(hour)
  } catch (cause) {
    await watch.shot('failed')
    throw cause
  } finally {
    await sample?.stop()
    await watch.context.close()
    await appliance.stop()
  }
})

async function signIn(hour: Hour) {
  const { page, text, watch, appliance } = hour
  await page.goto(appliance.consoleUrl)
  await page.getByRole('heading', { name: text.signIn.title }).waitFor()
  expect(await page.evaluate(() => document.documentElement.lang)).toBe(hour.language === 'zh' ? 'zh-CN' : 'en')
  await watch.shot('sign-in')
  await watch.refusing(401, async () => {
    await fillSignIn(hour, 'Wrong-Word-2026')
    await page.getByRole('alert').waitFor()
  })
  await watch.shot('sign-in-refused')
  await fillSignIn(hour, firstPassword)
  await page.getByRole('heading', { name: text.password.forcedTitle }).waitFor()
}

async function changeFirstPassword(hour: Hour) {
  const { page, text, watch, appliance } = hour
  // Nothing else opens, whatever the address.
  await page.goto(`${appliance.consoleUrl}/apps`)
  await page.getByRole('heading', { name: text.password.forcedTitle }).waitFor()
  expect(await page.getByRole('navigation').count()).toBe(0)

  await page.getByLabel(text.password.old, { exact: true }).fill(firstPassword)
  await page.getByLabel(text.password.next, { exact: true }).fill('kind-carp')
  await expect.poll(() => page.locator('.rules .met').count()).toBe(5)
  await page.getByLabel(text.password.again).fill('kind-carp')
  await page.getByRole('button', { name: text.password.forcedSubmit }).click()
  await page.getByText(text.password.tooWeak).waitFor()
  await watch.shot('first-password')
  await page.getByLabel(text.password.next, { exact: true }).fill(password)
  await page.getByLabel(text.password.again).fill(password)
  await page.getByRole('button', { name: text.password.forcedSubmit }).click()
  await page.getByRole('heading', { level: 1, name: text.start.title }).waitFor()
  await page.locator('[data-line=on]').waitFor()
  await watch.shot('first-steps')
}

async function createApp(hour: Hour) {
  const { page, text, watch, appName } = hour
  await page.getByRole('button', { name: text.start.app.action }).click()
  const dialog = dialogOf(page)
  await dialog.getByRole('button', { name: text.apps.create }).click()
  await dialog.getByText(text.apps.needName).waitFor()
  await dialog.getByRole('textbox').first().fill(appName)
  await watch.shot('create-app')
  await dialog.getByRole('button', { name: text.apps.create }).click()
  await page.getByRole('button', { name: text.start.app.view }).waitFor()
}

async function generate(hour: Hour) {
  const { page, text, watch, appliance } = hour
  await page.getByRole('button', { name: text.start.keys.action, exact: true }).click()
  const dialog = dialogOf(page)
  const count = dialog.getByLabel(text.generate.count, { exact: true })
  for (const bad of ['0', '-1', '1000001']) {
    await count.fill(bad)
    await dialog.locator('button[type=submit]').click()
    await dialog.getByText(text.generate.countBad).waitFor()
  }
  await count.fill('1000')
  await dialog.getByLabel(text.common.optional(text.generate.name)).fill('First 月卡')
  await dialog.getByRole('radio', { name: text.generate.presets.month }).check({ force: true })
  await watch.shot('generate')
  await dialog.locator('button[type=submit]').click()
  await dialog.getByText(text.generate.done, { exact: true }).waitFor()
  await watch.shot('generated')

  const [file] = await Promise.all([
    page.waitForEvent('download'),
    dialog.getByRole('button', { name: text.keys.export }).click(),
  ])
  const csv = join(appliance.folder, 'keys.csv')
  await file.saveAs(csv)
  const content = await readFile(csv, 'utf8')
  expect(content.charCodeAt(0)).toBe(0xfeff) // the mark by which Excel knows UTF-8
  const rows = content.slice(1).split('\r\n').filter(Boolean)
  expect(rows).toHaveLength(1001)
  const keys = rows.slice(1).map((row) => row.split(',')[0] ?? '')
  expect(new Set(keys).size).toBe(1000)
  for (const key of keys) expect(key).toMatch(/^([0-9A-Z]{4}-){3}[0-9A-Z]{4}$/)
  hour.cardKey = keys[0] ?? ''
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
  await page.getByRole('button', { name: text.start.keys.view }).waitFor()
}

async function cancelGeneration(hour: Hour) {
  const { page, text, watch } = hour
  await go(hour, 'keys')
  await page.getByRole('button', { name: text.generate.title }).click()
  const dialog = dialogOf(page)
  await dialog.getByLabel(text.generate.count, { exact: true }).fill('1000000')
  await dialog.locator('button[type=submit]').click()
  const bar = dialog.getByRole('progressbar')
  await bar.waitFor()
  await until('real progress', async () => Number(await bar.getAttribute('aria-valuenow')) >= 1, 60)
  await watch.shot('progress')
  await dialog.getByRole('button', { name: text.generate.stop }).click()
  await dialog.getByText(text.generate.cancelledHint).waitFor({ timeout: 120_000 })
  await watch.shot('cancelled')
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
  await go(hour, 'batches')
  await page.getByText(text.batches.states.ready, { exact: true }).waitFor()
  await expect.poll(() => page.locator('.listing tbody tr').count()).toBe(1) // the cancelled one has left nothing
  await watch.shot('batches')
  await go(hour, 'dashboard')
  await page.getByText(text.dashboard.totalOf('1,000')).waitFor()
}

async function connect(hour: Hour) {
  const { page, text, watch, appliance } = hour
  await go(hour, 'start')
  await page.getByRole('button', { name: text.start.connect.action }).click()
  await page.getByRole('heading', { name: text.connect.step1 }).waitFor()
  await watch.shot('connect')
  for (const [button, name] of [
    [page.getByRole('link', { name: text.connect.downloadSdk }).or(page.getByRole('button', { name: text.connect.downloadSdk })), 'goldfish.py'],
    [page.getByRole('button', { name: text.connect.downloadSample('my_app.py') }), 'my_app.py'],
  ] as const) {
    const [file] = await Promise.all([page.waitForEvent('download'), button.click()])
    expect(file.suggestedFilename()).toBe(name)
    await file.saveAs(join(appliance.folder, name))
  }
  await page.getByRole('tab', { name: text.apps.tabs.overview }).click()
  const uuid = (await page.locator('.pinned code').first().textContent()) ?? ''
  expect(uuid).toMatch(/^[0-9a-f-]{36}$/)
  const filled = await readFile(join(appliance.folder, 'my_app.py'), 'utf8')
  expect(filled).toContain(uuid)
  expect(filled).toContain(appliance.clientUrl)
  await watch.shot('app')
}

async function seeDeviceComeOnline(hour: Hour): Promise<Program> {
  const { page, text, watch, appliance, cardKey } = hour
  await go(hour, 'devices')
  await page.getByText(text.devices.empty, { exact: true }).waitFor()
  await page.evaluate(() => Object.assign(window, { sameDocument: true }))
  const typed = cardKey.toLowerCase().replaceAll('-', ' ') // however it is typed
  const sample = appliance.sample({ ...customer, cardKey: typed })
  await sample.says('GOLDFISH activated')
  await page.locator('[data-online=true]').getByText(text.devices.online).waitFor()
  expect(await page.evaluate(() => 'sameDocument' in window)).toBe(true)
  await page.getByText(customer.username).first().waitFor()
  await watch.shot('device-online')
  return sample
}

async function announce(hour: Hour, sample: Program) {
  const { page, text, watch } = hour
  await go(hour, 'announcements')
  await page.getByRole('button', { name: text.announcements.compose }).first().click()
  const dialog = dialogOf(page)
  const title = hour.language === 'zh' ? '今晚维护' : 'Maintenance tonight'
  const body = '<b>23:00</b>\n22:30 …'
  await dialog.getByRole('textbox').first().fill(title)
  await dialog.locator('textarea').first().fill(body)
  await expect.poll(() => dialog.locator('.preview-body').textContent()).toBe(body)
  await watch.shot('announcement')
  await dialog.getByRole('button', { name: text.announcements.publishNow }).click()
  await dialog.waitFor({ state: 'hidden' })
  await page.locator('.tag').getByText(text.announcements.states.published, { exact: true }).waitFor()
  const line = await sample.says('GOLDFISH notice')
  expect(line).toContain(title)
  await watch.shot('announced')
}

async function disable(hour: Hour, sample: Program) {
  const { page, text, watch, cardKey } = hour
  await go(hour, 'keys')
  await page.getByLabel(text.keys.exactKey).fill('ABC')
  await page.keyboard.press('Enter')
  await page.getByText(text.keys.exactKeyBad).waitFor()
  await page.getByLabel(text.keys.exactKey).fill(cardKey.toLowerCase())
  await page.keyboard.press('Enter')
  await expect.poll(() => page.locator('.listing tbody tr').count()).toBe(1)
  expect(page.url()).not.toContain(cardKey.slice(0, 4))
  await page.getByLabel(text.keys.select(cardKey)).check()
  await page.getByRole('region').getByRole('button', { name: text.keys.disable, exact: true }).click()
  const dialog = dialogOf(page)
  await dialog.getByLabel(text.common.optional(text.keys.reason)).fill('refund 退款')
  await watch.shot('disable')
  await dialog.getByRole('button', { name: text.keys.disable, exact: true }).click()
  const line = await sample.says('GOLDFISH stop')
  expect(line).toContain('card_disabled')
  expect(await sample.ends()).toBe(3)
  await page.locator('.listing').getByText(text.keys.states.disabled, { exact: true }).waitFor()
  await page.getByRole('button', { name: cardKey, exact: true }).click()
  await dialog.getByText('refund 退款').waitFor()
  await dialog.getByText(text.events.kinds['card_key.activated']).waitFor()
  await watch.shot('card')
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
}

async function lookAround(hour: Hour) {
  const { page, text, watch } = hour
  await go(hour, 'accounts')
  await page.getByText(customer.username, { exact: true }).waitFor()
  await watch.shot('accounts')
  await go(hour, 'jobs')
  await page.getByText(text.jobs.states.cancelled, { exact: true }).waitFor()
  await watch.shot('jobs')
  await go(hour, 'start')
  await page.getByText(text.start.allDone).waitFor()
  await go(hour, 'dashboard')
  await page.locator('.chart canvas').waitFor()
  await page.getByText(text.events.kinds['announcement.published'], { exact: true }).waitFor()
  await watch.shot('overview')
}

/** The server goes away and comes back: the page says so, and mends itself without being loaded again. */
async function outlastRestart(hour: Hour) {
  const { page, text, watch, appliance } = hour
  await watch.cutOff(async () => {
    await appliance.pause(async () => {
      await page.locator('[data-line=waiting]').waitFor()
      await go(hour, 'batches')
      await page.getByText(text.fault.network).waitFor()
      await page.getByText('First 月卡').waitFor() // what was known is still shown
      await watch.shot('away')
    })
    await page.locator('[data-line=on]').waitFor()
  })
  await page.getByText(text.fault.network).waitFor({ state: 'hidden' })
  await go(hour, 'accounts')
  await page.getByText(customer.username, { exact: true }).waitFor()
  await go(hour, 'dashboard')
}

async function comeAndGo(hour: Hour) {
  const { page, text, language, watch } = hour
  // The cookie brings the session back after a reload, and into a second tab; signing out ends both.
  await page.reload()
  await page.getByRole('heading', { level: 1, name: text.dashboard.title }).waitFor()
  const second = await watch.context.newPage()
  await second.goto(`${hour.appliance.consoleUrl}/keys`)
  await second.getByRole('heading', { level: 1, name: text.keys.title }).waitFor()

  const other = texts[language === 'zh' ? 'en' : 'zh']
  await page.getByRole('button', { name: language === 'zh' ? 'English' : '中文' }).click()
  await page.getByRole('heading', { level: 1, name: other.dashboard.title }).waitFor()
  await page.getByRole('button', { name: language === 'zh' ? '中文' : 'English' }).click()
  await page.getByRole('heading', { level: 1, name: text.dashboard.title }).waitFor()

  await page.getByRole('button', { name: text.menu.account }).click()
  await page.getByRole('menuitem', { name: text.menu.signOut }).click()
  await page.getByRole('heading', { name: text.signIn.title }).waitFor()
  await second.getByRole('heading', { name: text.signIn.title }).waitFor()
  await second.close()
}

/** Every page once more, 360 pixels wide: nothing sticks out, the menu is a drawer. */
async function onAPhone({ appliance, language, text }: Hour) {
  const watch = await watched(browser, [appliance.consoleUrl], language, 360)
  const { page } = watch
  try {
    await page.goto(appliance.consoleUrl)
    await fillSignIn({ page, text }, password)
    const places = ['apps', 'keys', 'batches', 'devices', 'announcements', 'accounts', 'jobs', 'start', 'dashboard'] as const
    for (const place of places) {
      await page.getByRole('button', { name: text.menu.open }).click()
      await dialogOf(page).getByRole('link', { name: text.menu[place], exact: true }).click()
      await dialogOf(page).waitFor({ state: 'hidden' })
      await page.getByRole('heading', { level: 1, name: text.menu[place], exact: true }).waitFor()
      await until(`${place} to be loaded`, async () => (await page.locator('[aria-busy=true]').count()) === 0)
      expect(await overflow(page), place).toBe(0)
      await watch.shot(place)
    }
    expect(watch.complaints).toEqual([])
  } finally {
    await watch.context.close()
  }
}
