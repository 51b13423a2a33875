import type { Locator, Page } from 'playwright-core'
import type { texts } from '../src/i18n/text'

type Texts = (typeof texts)['zh']

/** The documented first password, and the one that the stories set instead. */
export const firstPassword = 'admin1314159'
export const password = 'Kind-Carp-2026'

export interface Teller {
  page: Page
  text: Texts
}

export const dialogOf = (page: Page): Locator => page.getByRole('dialog')

/** Opens a page by the menu, wherever that is on this screen. */
export async function go({ page, text }: Teller, place: keyof Texts['menu']) {
  const burger = page.getByRole('button', { name: text.menu.open })
  const narrow = await burger.isVisible()
  if (narrow) await burger.click()
  const menu = narrow ? dialogOf(page) : page.getByRole('navigation', { name: text.menu.main })
  await menu.getByRole('link', { name: text.menu[place], exact: true }).click()
  if (narrow) await dialogOf(page).waitFor({ state: 'hidden' })
  await page.getByRole('heading', { level: 1, name: text.menu[place], exact: true }).waitFor()
}

/** Fills in the form at the door, whatever its button is called, and sends it. */
export async function fillSignIn({ page, text }: Teller, word: string) {
  await page.getByLabel(text.signIn.username).fill('admin')
  await page.getByLabel(text.signIn.password, { exact: true }).fill(word)
  await page.locator('button[type=submit]').click()
}

/** Comes in for the first time and sets a password. */
export async function takeOver(teller: Teller) {
  const { page, text } = teller
  await fillSignIn(teller, firstPassword)
  await page.getByLabel(text.password.old, { exact: true }).fill(firstPassword)
  await page.getByLabel(text.password.next, { exact: true }).fill(password)
  await page.getByLabel(text.password.again).fill(password)
  await page.getByRole('button', { name: text.password.forcedSubmit }).click()
  await page.getByRole('heading', { level: 1, name: text.start.title }).waitFor()
  await page.locator('[data-line=on]').waitFor()
}

/** Makes an app, so that there is something to lose. */
export async function createApp(teller: Teller, name: string) {
  const { page, text } = teller
  await go(teller, 'apps')
  await page.getByRole('button', { name: text.apps.create }).first().click()
  await dialogOf(page).getByRole('textbox').first().fill(name)
  await dialogOf(page).getByRole('button', { name: text.apps.create }).click()
  await dialogOf(page).waitFor({ state: 'hidden' })
  await page.getByText(name).first().waitFor()
}
