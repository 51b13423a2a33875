import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { texts } from '../src/i18n/text'
import { startAppliance, type Appliance, type Program } from './appliance'
import { launch, overflow, watched, type Watched } from './browser'
import { createApp, dialogOf, fillSignIn, go, password, takeOver } from './story'

// Customers' programs before and after a restore, against the real binary: the one whose card key the file knows goes on
// by itself, the other one's receipt waits for the vendor.

let browser: Browser

beforeAll(async () => {
  browser = await launch()
})

afterAll(async () => {
  await browser?.close()
})

interface Story {
  appliance: Appliance
  watch: Watched
  page: Page
  text: (typeof texts)['zh']
}

test('devices come back after a restore, by themselves or by the vendor (zh)', async () => {
  const appliance = await startAppliance()
  const watch = await watched(browser, [appliance.consoleUrl], 'zh')
  const story: Story = { appliance, watch, page: watch.page, text: texts.zh }
  const running: Program[] = []
  const sample = (device: string, cardKey: string) => {
    const started = appliance.sample({ username: `user-${device}`, password: 'Koi-Pond-2026', cardKey, device })
    running.push(started)
    return started
  }
  try {
    await watch.page.goto(appliance.consoleUrl)
    await takeOver(story)
    await createApp(story, '极速剪辑')
    await connect(story)
    const [known = '', standIn = ''] = await generate(story, 2)
    await backUp(story)
    const [lost = ''] = await generate(story, 1)
    const desk = sample('desk', known)
    const laptop = sample('laptop', lost)
    const onDesk = await desk.says('GOLDFISH licence run valid online=yes')
    const before = await laptop.says('GOLDFISH licence run valid online=yes')
    await Promise.all([desk.stop(), laptop.stop()])
    await restore(story)
    await go(story, 'devices')
    await watch.page.getByText(story.text.devices.empty, { exact: true }).waitFor()

    // The file knows neither device, but the card key of one: that one is taken up at once.
    const waiting = sample('laptop', lost)
    expect(cardOf(await sample('desk', known).says('GOLDFISH licence run valid online=yes'))).toBe(cardOf(onDesk))
    await waiting.says('GOLDFISH licence run receipt_kept online=yes')
    await decide(story, standIn)
    await waiting.stop()
    const after = await sample('laptop', lost).says('GOLDFISH licence run valid online=yes')
    expect(cardOf(after)).not.toBe(cardOf(before))
    await go(story, 'devices')
    await expect.poll(() => watch.page.locator('[data-online=true]').count()).toBe(2)
    await watch.shot('receipts-settled')
    for (const program of running) expect(program.lines.filter((line) => /^GOLDFISH (stop|hold|refused|failed)/.test(line))).toEqual([])
    expect(watch.complaints).toEqual([])
  } catch (cause) {
    await watch.shot('failed', true)
    throw cause
  } finally {
    await Promise.all(running.map((program) => program.stop()))
    await watch.context.close()
    await appliance.stop()
  }
})

const cardOf = (line: string) => /card=(\S+)/.exec(line)?.[1]

/** Takes the SDK and the sample as the app's page gives them. */
async function connect(story: Story) {
  const { page, text, appliance } = story
  await go(story, 'start')
  await page.getByRole('button', { name: text.start.connect.action }).click()
  await page.getByRole('heading', { name: text.connect.step1 }).waitFor()
  for (const [button, name] of [
    [page.getByRole('link', { name: text.connect.downloadSdk }).or(page.getByRole('button', { name: text.connect.downloadSdk })), 'goldfish.py'],
    [page.getByRole('button', { name: text.connect.downloadSample('my_app.py') }), 'my_app.py'],
  ] as const) {
    const [file] = await Promise.all([page.waitForEvent('download'), button.click()])
    await file.saveAs(join(appliance.folder, name))
  }
}

/** Makes card keys, and gives them as the vendor's list does. */
async function generate(story: Story, count: number): Promise<string[]> {
  const { page, text, appliance } = story
  await go(story, 'keys')
  await page.getByRole('button', { name: text.generate.title }).first().click()
  const dialog = dialogOf(page)
  await dialog.getByLabel(text.generate.count, { exact: true }).fill(String(count))
  await dialog.locator('button[type=submit]').click()
  await dialog.getByText(text.generate.done, { exact: true }).waitFor()
  const [file] = await Promise.all([page.waitForEvent('download'), dialog.getByRole('button', { name: text.keys.export }).click()])
  const csv = join(appliance.folder, 'keys.csv')
  await file.saveAs(csv)
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
  const keys = (await readFile(csv, 'utf8')).match(/\b(?:[0-9A-Z]{4}-){3}[0-9A-Z]{4}\b/g) ?? []
  expect(keys).toHaveLength(count)
  return keys
}

async function backUp(story: Story) {
  const { page, text } = story
  await go(story, 'backups')
  await page.getByRole('button', { name: text.backups.now }).click()
  await page.getByText(text.backups.done).waitFor()
}

async function restore(story: Story) {
  const { page, text, watch } = story
  await go(story, 'backups')
  await page.getByRole('button', { name: text.backups.restore, exact: true }).click()
  const dialog = dialogOf(page)
  await dialog.getByLabel(text.restore.password).fill(password)
  await dialog.getByText(text.restore.understood).click()
  await watch.refusing([503, 401], async () => {
    await dialog.getByRole('button', { name: text.restore.submit }).click()
    await page.getByText(text.standing.restored).waitFor()
  })
  await fillSignIn(story, password)
}

/** Finds the one receipt by the notice about it, and puts a card key of the file in the lost one's place. */
async function decide(story: Story, standIn: string) {
  const { page, text, watch } = story
  const words = text.receipts
  await go(story, 'dashboard')
  await page.getByText(text.notices.receipts('1'), { exact: true }).waitFor()
  await page.getByText(text.events.kinds['receipt.adopted'], { exact: true }).waitFor()
  await go(story, 'devices')
  await page.getByRole('link', { name: words.link }).click()
  await page.getByText(words.codes.receipt_card).waitFor()
  expect(await page.locator('.listing tbody tr').count()).toBe(1)
  await watch.shot('receipt-waits', true)
  await page.getByRole('button', { name: 'English' }).click()
  await page.getByText(texts.en.receipts.codes.receipt_card).waitFor()
  expect(await overflow(page)).toBe(0)
  await watch.shot('receipt-waits-in-english', true)
  await page.getByRole('button', { name: '中文' }).click()

  await page.getByRole('button', { name: words.adopt }).click()
  const dialog = dialogOf(page)
  await dialog.getByLabel(words.stand).fill(standIn)
  await page.locator('.ant-select-item-option').getByText(standIn).click()
  await watch.shot('receipt-stand-in')
  await dialog.getByRole('button', { name: words.adopt }).click()
  await page.getByText(words.empty, { exact: true }).waitFor()
  await watch.shot('receipt-decided')
}
