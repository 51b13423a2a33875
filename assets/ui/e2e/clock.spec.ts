import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatFor } from '../src/i18n/format'
import { texts } from '../src/i18n/text'
import { startAppliance } from './appliance'
import { launch, overflow, watched } from './browser'
import { dialogOf, fillSignIn, go, password, takeOver } from './story'

// A machine whose clock was 40 days behind, against the real binary: nothing old is cleared until the owner says
// that the clock is right.

let browser: Browser

beforeAll(async () => {
  browser = await launch()
})

afterAll(async () => {
  await browser?.close()
})

const root = fileURLToPath(new URL('../../../', import.meta.url))

test.each(['zh', 'en'] as const)('the owner confirms a clock that jumped (%s)', async (language) => {
  const text = texts[language]
  const appliance = await startAppliance()
  const watch = await watched(browser, [appliance.consoleUrl], language)
  const { page } = watch
  try {
    await page.goto(appliance.consoleUrl)
    await takeOver({ page, text })
    await go({ page, text }, 'dashboard')
    await page.getByRole('heading', { name: text.dashboard.system }).waitFor()
    expect(await page.getByText(text.clock.title).count()).toBe(0)
    const before = Date.now()
    await watch.cutOff(() =>
      watch.refusing(401, async () => {
        await appliance.pause(() => {
          execFileSync('go', ['run', './.checks/oldclock', appliance.file, join(appliance.folder, 'machine.key')], { cwd: root })
          return Promise.resolve()
        })
        await page.getByText(text.signIn.ended).waitFor() // as after 40 days
      }),
    )
    await fillSignIn({ page, text }, password)

    const notice = page.getByRole('alert').filter({ hasText: text.clock.title })
    await notice.waitFor()
    const shown = (await notice.textContent()) ?? ''
    const { dateTime } = formatFor(language)
    const zone = (8 * 60 + new Date().getTimezoneOffset()) * 60_000 // from this process's to the browser's
    const at = (days: number) => [0, 1, 2, 3].map((minutes) => dateTime(new Date(before + zone + days * 86_400_000 + minutes * 60_000).toISOString()))
    expect(at(-40).some((seen) => at(0).some((since) => shown.includes(text.clock.jumped(seen, since))))).toBe(true)
    expect(await overflow(page)).toBe(0)
    await watch.shot('clock-jumped', true)

    await notice.getByRole('button', { name: text.clock.confirm }).click()
    const dialog = dialogOf(page)
    await dialog.getByText(text.clock.askHint).waitFor()
    await watch.shot('clock-asked')
    await dialog.getByRole('button', { name: text.common.cancel }).click()
    await dialog.waitFor({ state: 'hidden' })
    expect(await notice.count()).toBe(1)
    await notice.getByRole('button', { name: text.clock.confirm }).click()
    await page.evaluate(() => Object.assign(window, { sameDocument: true }))
    await dialog.getByRole('button', { name: text.clock.confirm }).click()
    await notice.waitFor({ state: 'detached' })
    await page.getByText(text.events.kinds['system.setting.changed:clock_confirmed'] ?? '', { exact: true }).waitFor()
    expect(await page.evaluate(() => 'sameDocument' in window)).toBe(true)
    await watch.shot('clock-confirmed')
    await page.reload()
    await page.getByText(text.dashboard.dataFile, { exact: true }).waitFor()
    expect(await page.getByText(text.clock.title).count()).toBe(0)
    expect(watch.complaints).toEqual([])
  } catch (cause) {
    await watch.shot('failed', true)
    throw cause
  } finally {
    await watch.context.close()
    await appliance.stop()
  }
})
