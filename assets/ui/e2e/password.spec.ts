import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { texts } from '../src/i18n/text'
import { startAppliance } from './appliance'
import { launch, overflow, watched } from './browser'
import { fillSignIn, firstPassword } from './story'

// The strength of a password, told while it is typed, against the real binary and under its policy.

let browser: Browser

beforeAll(async () => {
  browser = await launch()
})

afterAll(async () => {
  await browser?.close()
})

test.each([
  ['zh', 1280],
  ['en', 360],
] as const)('the strength of a new password is told (%s, %i px)', async (language, width) => {
  const text = texts[language]
  const words = text.password.strength
  const appliance = await startAppliance()
  const watch = await watched(browser, [appliance.consoleUrl], language, width)
  const { page } = watch
  let loaded = 0
  page.on('request', (request) => (loaded += Number(/part-[0-9a-f]+\.js/.test(request.url()))))
  try {
    await page.goto(appliance.consoleUrl)
    await page.getByRole('heading', { name: text.signIn.title }).waitFor()
    const atTheDoor = loaded
    await fillSignIn({ page, text }, firstPassword)
    await page.getByRole('heading', { name: text.password.forcedTitle }).waitFor()
    await page.getByText(words.suggested).waitFor()
    await expect.poll(() => loaded).toBeGreaterThan(atTheDoor) // the judge comes only now
    const next = page.getByLabel(text.password.next, { exact: true })
    const meter = page.getByRole('meter', { name: words.label })
    expect(await meter.count()).toBe(0)

    for (const [typed, level, now, advice] of [
      ['1qaz@WSX', 'weak', 1, ['walk', 'longer']],
      ['Woaini1314!', 'weak', 1, ['common', 'longer']],
      ['Zhang-Wei-1988', 'fair', 2, ['pinyin', 'date']],
      ['Kind-Carp-2026', 'good', 3, ['date']],
      ['Purple-Tractor-91-Violin', 'strong', 4, []],
    ] as const) {
      await next.fill('')
      await next.pressSequentially(typed)
      await expect.poll(() => meter.getAttribute('aria-valuetext')).toBe(words.levels[level])
      expect(await meter.getAttribute('aria-valuenow')).toBe(String(now))
      await page.getByText(words.is(words.levels[level]), { exact: true }).waitFor()
      const told = await page.locator('#password-strength p').allTextContents()
      expect(told).toEqual([...advice.map((reason) => words.advice[reason]), words.suggested])
      expect(await overflow(page)).toBe(0)
      await watch.shot(`strength-${level}`, true)
    }
    expect(await next.getAttribute('aria-describedby')).toContain('password-strength')

    // It advises only: what the rules allow is taken.
    await page.getByLabel(text.password.old, { exact: true }).fill(firstPassword)
    await next.fill('1qaz@WSX')
    await page.getByLabel(text.password.again).fill('1qaz@WSX')
    await page.getByRole('button', { name: text.password.forcedSubmit }).click()
    await page.getByRole('heading', { level: 1, name: text.start.title }).waitFor()

    await page.getByRole('button', { name: text.menu.account }).click()
    await page.getByRole('menuitem', { name: text.menu.changePassword }).click()
    await next.fill('admin-2026')
    await page.getByText(words.advice.names).waitFor()
    await watch.shot('strength-change', true)
    expect(watch.complaints).toEqual([])
  } catch (cause) {
    await watch.shot('failed', true)
    throw cause
  } finally {
    await watch.context.close()
    await appliance.stop()
  }
})
