import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { texts } from '../src/i18n/text'
import { startAppliance, until, type Appliance } from './appliance'
import { launch, overflow, watched, type Watched } from './browser'
import { createApp, dialogOf, fillSignIn, go, password, takeOver } from './story'

// What a vendor does with the one file, against the real binary: back it up and go back to a backup, move it to
// another machine, and restore it into an appliance that nobody has used.

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
  language: 'zh' | 'en'
  text: (typeof texts)['zh']
}

/** Tells a story at an appliance's console; whatever the browser complains of fails it. */
async function tell(appliance: Appliance, language: 'zh' | 'en', story: (story: Story) => Promise<void>, width = 1280) {
  const watch = await watched(browser, [appliance.consoleUrl], language, width)
  try {
    await watch.page.goto(appliance.consoleUrl)
    await story({ appliance, watch, page: watch.page, language, text: texts[language] })
    expect(watch.complaints).toEqual([])
  } catch (cause) {
    await watch.shot('failed', true)
    throw cause
  } finally {
    await watch.context.close()
  }
}

async function within(beginning: Parameters<typeof startAppliance>[0], work: (appliance: Appliance) => Promise<void>) {
  const appliance = await startAppliance(beginning)
  try {
    await work(appliance)
  } finally {
    await appliance.stop()
  }
}

/** The refusals that a restore brings about: the file is closed, and then the session is over. */
const restoring = [503, 401]

test.each(['zh', 'en'] as const)('a backup is made, checked, planned and restored (%s)', (language) =>
  within({}, (appliance) =>
    tell(appliance, language, async (story) => {
      const { page, text, watch } = story
      await takeOver(story)
      await createApp(story, 'Before')
      await backUp(story)
      await verify(story)
      await changePlan(story)
      await createApp(story, 'After')
      await restore(story)
      await fillSignIn(story, password)
      await go(story, 'apps')
      // The cards alone: a word about the app made last may still stand at the top of the window.
      await expect.poll(() => page.locator('.app-card-name').allTextContents()).toEqual(['Before'])
      await go(story, 'dashboard')
      await page.getByText(text.events.kinds['system.restored'], { exact: true }).waitFor()
      await watch.shot('restored-overview')
      await removeBackup(story)
    }),
  ),
)

async function backUp(story: Story) {
  const { page, text, watch } = story
  await go(story, 'backups')
  await page.getByText(text.backups.empty, { exact: true }).waitFor()
  await page.getByRole('button', { name: text.backups.now }).click()
  await expect.poll(() => page.locator('.listing tbody tr').count()).toBe(1)
  await page.getByText(text.backups.done).waitFor()
  await watch.shot('backup-made')
  const button = page.getByRole('button', { name: text.backups.more })
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    button.click().then(() => page.getByRole('menuitem', { name: text.backups.download }).click()),
  ])
  expect(file.suggestedFilename()).toMatch(/^goldfish-\d{8}T\d{6}Z\.db\.zst$/)
  const saved = join(story.appliance.folder, 'taken.db.zst')
  await file.saveAs(saved)
  expect((await readFile(saved)).subarray(0, 4)).toEqual(Buffer.from([0x28, 0xb5, 0x2f, 0xfd])) // zstd
}

async function verify({ page, text, watch }: Story) {
  await page.getByRole('button', { name: text.backups.verify, exact: true }).click()
  const drawer = dialogOf(page)
  await drawer.getByText(text.report.good).waitFor()
  const apps = drawer.locator('.counts li', { hasText: text.report.tables.apps })
  expect(await apps.locator('b').textContent()).toBe('1')
  await watch.shot('backup-report')
  await page.keyboard.press('Escape')
  await drawer.waitFor({ state: 'hidden' })
}

async function changePlan(story: Story) {
  const { page, text, watch } = story
  const words = text.backups.form
  await page.getByRole('button', { name: text.backups.change }).click()
  const dialog = dialogOf(page)
  await dialog.getByLabel(words.at, { exact: true }).fill('03:30')
  await page.keyboard.press('Tab')
  await dialog.getByLabel(words.keepDays).fill('7')
  await dialog.getByLabel(text.common.optional(words.second)).fill('not/a/full/path')
  await watch.refusing(400, async () => {
    await dialog.getByRole('button', { name: text.common.save }).click()
    await dialog.locator('.ant-form-item-explain-error').waitFor()
  })
  await watch.shot('plan-refused')
  const second = join(story.appliance.folder, 'second')
  await mkdir(second)
  await dialog.getByLabel(text.common.optional(words.second)).fill(second)
  await dialog.getByLabel(text.common.optional(words.cap)).fill('2')
  await dialog.getByRole('button', { name: text.common.save }).click()
  await dialog.waitFor({ state: 'hidden' })
  await page.getByText(text.backups.planOn('03:30')).waitFor()
  await page.getByText(text.backups.keepDays(7), { exact: true }).waitFor()
  // The next backup goes into both folders.
  await page.getByRole('button', { name: text.backups.now }).click()
  await page.getByText(text.backups.folders.second, { exact: true }).last().waitFor()
  await expect.poll(() => page.locator('.listing tbody tr').count()).toBe(3)
  await watch.shot('two-folders')
}

async function restore(story: Story) {
  const { page, text, watch } = story
  await go(story, 'backups')
  await page.getByRole('button', { name: text.backups.restore, exact: true }).last().click()
  const dialog = dialogOf(page)
  await dialog.getByLabel(text.restore.password).fill('Wrong-Word-2026')
  await dialog.getByText(text.restore.understood).click()
  await watch.shot('restore-asked')
  await watch.refusing(400, async () => {
    await dialog.getByRole('button', { name: text.restore.submit }).click()
    await dialog.locator('.ant-form-item-explain-error').waitFor()
  })
  await dialog.getByLabel(text.restore.password).fill(password)
  await watch.refusing(restoring, async () => {
    // It is over soon: whoever looks for it only after the click may come too late.
    await Promise.all([page.getByText(text.standing.works.restore).waitFor(), dialog.getByRole('button', { name: text.restore.submit }).click()])
    await page.getByText(text.standing.restored).waitFor()
  })
  await watch.shot('restored')
}

async function removeBackup(story: Story) {
  const { page, text } = story
  await go(story, 'backups')
  // The plan of that time knew of no second folder.
  await expect.poll(() => page.locator('.listing tbody tr').count()).toBe(2)
  await page.getByRole('button', { name: text.backups.more }).first().click()
  await page.getByRole('menuitem', { name: text.backups.remove }).click()
  await dialogOf(page).getByRole('button', { name: text.backups.remove }).click()
  await expect.poll(() => page.locator('.listing tbody tr').count()).toBe(1)
}

test('the file goes to another machine, and is opened by its owner or by the recovery code (zh)', () =>
  within({}, async (home) => {
    let code = ''
    await tell(home, 'zh', async (story) => {
      await takeOver(story)
      await createApp(story, '剪辑')
      code = await setUpRecovery(story)
      await changeKeys(story)
    })
    await within({ copyOf: home.file, stands: 'sealed' }, (away) => tell(away, 'zh', openByOwner))
    await within({ copyOf: home.file, stands: 'sealed' }, (away) => tell(away, 'zh', openAsCopy, 360))
    await within({ copyOf: home.file, stands: 'sealed' }, (away) => tell(away, 'zh', (story) => openByCode(story, code)))
  }))

async function setUpRecovery(story: Story): Promise<string> {
  const { page, text, watch } = story
  const words = text.keyring
  await go(story, 'dashboard')
  await page.getByText(text.notices.noRecovery).waitFor()
  await watch.shot('no-recovery')
  await page.getByRole('button', { name: text.notices.toRecovery }).click()
  await page.getByRole('heading', { level: 1, name: text.file.title }).waitFor()
  const dialog = dialogOf(page)
  await dialog.getByRole('button', { name: text.common.close }).click()
  await page.getByText(text.file.copyGood('60 秒')).waitFor()
  await watch.shot('file', true)
  await page.getByRole('button', { name: words.makeRecovery }).click()
  await dialog.getByLabel(words.password).fill('Wrong-Word-2026')
  await watch.refusing(400, async () => {
    await dialog.getByRole('button', { name: words.showCode }).click()
    await dialog.locator('.ant-form-item-explain-error').waitFor()
  })
  await dialog.getByLabel(words.password).fill(password)
  await dialog.getByRole('button', { name: words.showCode }).click()
  const code = (await dialog.locator('.recovery-code code').textContent()) ?? ''
  expect(code).toMatch(/^[0-9A-Z-]{35,}$/)
  await dialog.getByRole('button', { name: words.kept }).click()
  await dialog.getByLabel(words.retyped).fill(code.replaceAll('-', ' ').toLowerCase())
  await watch.shot('code-retyped')
  await dialog.getByRole('button', { name: words.finish }).click()
  await dialog.waitFor({ state: 'hidden' })
  await page.getByText(words.recoverySet, { exact: true }).waitFor()
  await expect.poll(() => page.locator('.listing tbody tr').count()).toBe(3)
  expect(await page.content()).not.toContain(code)
  await watch.shot('recovery-set', true)
  await go(story, 'dashboard')
  expect(await page.getByText(text.notices.noRecovery).count()).toBe(0)
  return code
}

async function changeKeys(story: Story) {
  const { page, text, watch } = story
  const words = text.keyring
  await go(story, 'file')
  await page.getByRole('button', { name: words.rotate }).click()
  await dialogOf(page).getByLabel(words.password).fill(password)
  await dialogOf(page).getByRole('button', { name: words.rotateSubmit }).click()
  await page.getByText(words.rotated).waitFor()
  await page.getByText(/第 2 把/).waitFor()
  await watch.shot('keys-changed', true)
  await page.getByRole('button', { name: text.file.compact }).click()
  await dialogOf(page).getByRole('button', { name: text.file.compact }).click()
  await page.getByText(text.file.compactStarted).waitFor()
}

/** Sends until it is no longer too soon: a sealed file answers nobody for a while after a wrong word. */
const outwait = ({ page, watch }: Story, path: string, send: () => Promise<unknown>) =>
  watch.refusing(429, () =>
    until('the wait after a wrong word to be over', async () => {
      const [answer] = await Promise.all([page.waitForResponse((each) => each.url().endsWith(path)), send()])
      return answer.status() !== 429
    }),
  )

async function openByOwner(story: Story) {
  const { page, text, watch } = story
  await page.getByRole('heading', { name: text.sealed.title }).waitFor()
  await watch.shot('sealed')
  await watch.refusing(401, async () => {
    await fillSignIn(story, 'Wrong-Word-2026')
    await page.getByRole('alert').waitFor()
  })
  await watch.shot('sealed-refused')
  await outwait(story, '/auth/login', () => fillSignIn(story, password))
  await page.getByRole('heading', { level: 1, name: text.dashboard.title }).waitFor()
  await page.getByText(text.events.kinds['system.unsealed'], { exact: true }).waitFor()
  await go(story, 'apps')
  await page.getByText('剪辑').waitFor()
  // It is this machine's file now: it starts without anybody.
  await watch.refusing(503, () => watch.cutOff(() => story.appliance.pause(async () => {})))
}

/** The original goes on: this one becomes an appliance of its own, and says what that means. */
async function openAsCopy(story: Story) {
  const { page, text, watch } = story
  const words = text.sealed
  await page.getByRole('heading', { name: words.title }).waitFor()
  expect(await page.getByRole('radio', { name: words.moved }).isChecked()).toBe(true)
  await page.getByRole('radio', { name: words.copied }).check()
  expect(await page.getByRole('radio', { name: words.copied }).isChecked()).toBe(true)
  expect(await overflow(page)).toBe(0)
  await watch.shot('sealed-copied', true)
  await fillSignIn(story, password)
  await page.getByRole('heading', { level: 1, name: text.dashboard.title }).waitFor()
  const notice = page.getByRole('alert').filter({ hasText: text.notices.copiedPoints[0]! })
  await notice.waitFor()
  await page.getByText(text.events.kinds['system.unsealed:copied'], { exact: true }).waitFor()
  expect(await overflow(page)).toBe(0)
  await watch.shot('copied-overview', true)
  await notice.getByRole('button', { name: text.notices.understood }).click()
  await notice.waitFor({ state: 'detached' })
  await go(story, 'file')
  await page.getByText(text.file.appliance, { exact: true }).waitFor()
  await page.locator('details.more-about').evaluate((fold: HTMLDetailsElement) => (fold.open = true))
  await page.getByText(text.keyring.stolenSteps[0]!).waitFor()
  expect(await overflow(page)).toBe(0)
  await watch.shot('copied-file', true)
  await page.reload()
  await page.getByRole('heading', { level: 1, name: text.file.title }).waitFor() // only then is it known where the menu is
  await go(story, 'dashboard')
  await page.getByText(text.events.kinds['system.unsealed:copied'], { exact: true }).waitFor()
  expect(await notice.count()).toBe(0)
}

async function openByCode(story: Story, code: string) {
  const { page, text, watch } = story
  const fresh = 'Fresh-Koi-2027'
  await page.getByRole('button', { name: text.sealed.useCode }).click()
  const fill = async (typed: string) => {
    await page.getByLabel(text.recovery.code).fill(typed)
    await page.getByLabel(text.recovery.username).fill('admin')
    await page.getByLabel(text.password.next, { exact: true }).fill(fresh)
    await page.getByLabel(text.password.again).fill(fresh)
    await page.getByRole('button', { name: text.recovery.submit }).click()
  }
  await watch.refusing([400, 401], async () => {
    await fill(code.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')))
    await page.locator('.ant-form-item-explain-error, [role=alert]').first().waitFor()
  })
  await watch.shot('code-refused')
  await outwait(story, '/admin/unseal', () => fill(code))
  await page.getByText(text.recovery.done).waitFor()
  await watch.shot('opened-by-code')
  await fillSignIn(story, fresh)
  await go(story, 'apps')
  await page.getByText('剪辑').waitFor()
}

test('a backup is restored into an appliance that nobody has used (zh)', () =>
  within({}, async (home) => {
    await tell(home, 'zh', async (story) => {
      await takeOver(story)
      await createApp(story, '剪辑')
      await backUp(story)
    })
    await within({}, (empty) => tell(empty, 'zh', (story) => restoreUpload(story, join(home.folder, 'taken.db.zst'))))
  }))

async function restoreUpload(story: Story, backup: string) {
  const { page, text, watch } = story
  const words = text.restoreDoor
  await watch.shot('empty')
  await page.getByRole('button', { name: words.link }).click()
  await page.getByRole('heading', { name: words.title }).waitFor()
  await watch.refusing([400, 503], async () => {
    await page.locator('input[type=file]').setInputFiles({ name: 'holiday.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('not a backup') })
    await page.getByRole('alert').waitFor()
  })
  await watch.shot('upload-refused')
  await page.locator('input[type=file]').setInputFiles(backup)
  await page.getByText(words.sealed).waitFor()
  await watch.shot('upload-judged', true)
  expect(await overflow(page)).toBe(0)
  await watch.refusing(503, async () => {
    await Promise.all([page.getByText(text.standing.works.restore).waitFor(), page.getByRole('button', { name: words.submit }).click()])
    await page.getByRole('heading', { name: text.sealed.title }).waitFor()
  })
  await fillSignIn(story, password)
  await go(story, 'apps')
  await page.getByText('剪辑').waitFor()
  await watch.shot('upload-restored')
}

test('the pages about the file fit a telephone (zh)', () =>
  within({}, (appliance) =>
    tell(
      appliance,
      'zh',
      async (story) => {
        await takeOver(story)
        for (const place of ['backups', 'file', 'devices'] as const) {
          await go(story, place)
          await expect.poll(() => story.page.locator('[aria-busy=true]').count()).toBe(0)
          expect(await overflow(story.page), place).toBe(0)
          await story.watch.shot(`phone-${place}`, true)
        }
      },
      360,
    ),
  ))
