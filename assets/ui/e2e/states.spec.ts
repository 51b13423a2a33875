import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page, Route } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { texts } from '../src/i18n/text'
import { launch, overflow, watched, type Watched } from './browser'
import { answerFor, answers, dataFile, keyring, plan, report, serve, standing, type Answers } from './built'
import { go as goBy } from './story'

// States of the pages about the data file that are hard to bring about with a real appliance: a failed backup, a
// full disk, a damaged file, kept receipts, work under way. On a wide screen and on a narrow one, under the policy.

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

const widths = [1280, 360] as const
const text = texts.zh

/** Opens the console with these answers; nothing may stick out or be complained of in the end. */
async function withAnswers(width: number, given: Answers, story: (watch: Watched, page: Page) => Promise<void>) {
  const watch = await watched(browser, [origin], 'zh', width)
  const { page, complaints, context } = watch
  try {
    await answerFor(page, { ...answers, ...given })
    await page.goto(origin)
    await story(watch, page)
    expect(await overflow(page)).toBe(0)
    expect(complaints).toEqual([])
  } finally {
    await context.close()
  }
}

async function signIn(page: Page) {
  await page.getByLabel(text.signIn.username).fill('admin')
  await page.getByLabel(text.signIn.password, { exact: true }).fill('x')
  await page.locator('button[type=submit]').click()
  await page.getByRole('heading', { level: 1, name: text.dashboard.title }).waitFor()
}

/** Opens a page, and waits until nothing loads and no window is open any more. */
async function go(page: Page, place: 'backups' | 'file' | 'devices') {
  await goBy({ page, text }, place)
  await expect.poll(() => page.locator('[aria-busy=true]').count()).toBe(0)
}

/** The whole page, not only what is in the window. */
async function whole(watch: Watched, name: string) {
  expect(await overflow(watch.page), name).toBe(0)
  await watch.shot(name, true)
}

test.each(widths)('what needs the vendor stands on the overview (%i px)', (width) =>
  withAnswers(
    width,
    {
      '/api/v1/admin/backup-plan': {
        data: { ...plan, last_ok: false, last_error_code: 'second_folder_failed', last_error_message: '第二个文件夹写不进去：/srv/backup' },
      },
      '/api/v1/admin/file': { data: { ...dataFile, low_space: true } },
    },
    async (watch, page) => {
      await signIn(page)
      for (const notice of [text.notices.backupFailed, text.notices.lowSpace, text.notices.receipts('2'), text.notices.noRecovery]) {
        await page.getByText(notice, { exact: true }).waitFor()
      }
      await watch.shot('states-overview')
      await page.getByRole('button', { name: text.notices.toBackups }).click()
      await page.getByText('第二个文件夹写不进去：/srv/backup').waitFor()
      await whole(watch, 'states-backup-failed')
    },
  ),
)

test('somebody who may not manage the file sees that the clock jumped, and no button', () => {
  const login = answers['/api/v1/auth/login'] as { data: { user: { permissions: string[] } } }
  const user = { ...login.data.user, permissions: login.data.user.permissions.filter((may) => may !== 'file:write') }
  const status = answers['/api/v1/admin/status'] as { data: object }
  const purge = { held: true, since: '2026-11-23T08:00:00Z', last_seen: null }
  return withAnswers(
    360,
    {
      '/api/v1/auth/login': { ...login, data: { user } },
      '/api/v1/admin/status': { data: { ...status.data, purge } },
    },
    async (watch, page) => {
      await signIn(page)
      const notice = page.getByRole('alert').filter({ hasText: text.clock.title })
      await notice.getByText(text.clock.jumpedTo('2026/11/23 16:00')).waitFor() // an older release's hold
      await notice.getByText(text.clock.othersDo).waitFor()
      expect(await page.getByRole('button', { name: text.clock.confirm }).count()).toBe(0)
      await whole(watch, 'states-clock-reader')
    },
  )
})

test.each(widths)('a backup is looked at before it is restored (%i px)', (width) =>
  withAnswers(
    width,
    {
      '/api/v1/admin/backups/goldfish-20261122T180000Z.db.zst/verify': { data: { ...report, seal: 'other_machine' } },
      '/api/v1/admin/backups/goldfish-20261122T180000Z.db.zst/restore': (route: Route) =>
        void route.fulfill({
          status: 422,
          json: { code: 'password_wrong', field: 'password', message: '当前密码不正确，请重新输入' },
        }),
    },
    async (watch, page) => {
      await signIn(page)
      await go(page, 'backups')
      await whole(watch, 'states-backups')
      await page.getByRole('button', { name: text.backups.change }).click()
      await page.getByLabel(text.backups.form.keepDays).fill('0')
      await page.getByRole('button', { name: text.common.save }).click()
      await page.getByText(text.backups.form.keepDaysBad).waitFor()
      await watch.shot('states-plan')
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'hidden' })

      await page.getByRole('button', { name: text.backups.verify }).first().click()
      await page.getByText(text.report.goodSealed).waitFor()
      await watch.shot('states-report')
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'hidden' })

      await page.getByRole('button', { name: text.backups.restore, exact: true }).first().click()
      const dialog = page.getByRole('dialog')
      await dialog.getByText(text.restore.understood).waitFor()
      await dialog.getByRole('button', { name: text.restore.submit }).click()
      await dialog.getByText(text.restore.needUnderstood).waitFor()
      await dialog.getByLabel(text.restore.password).fill('x')
      await dialog.getByText(text.restore.understood).click()
      await watch.refusing(422, async () => {
        await dialog.getByRole('button', { name: text.restore.submit }).click()
        await dialog.getByText('当前密码不正确').waitFor()
      })
      await watch.shot('states-restore')
    },
  ),
)

test.each(widths)('the file and its keys (%i px)', (width) =>
  withAnswers(
    width,
    {
      '/api/v1/admin/file': {
        data: { ...dataFile, copy_window_seconds: 14, copy_window_wanted: 60, clean_start: false, last_check: { ...dataFile.last_check, ok: false, faults: 3 } },
      },
      '/api/v1/admin/keyring': { data: { ...keyring, job_id: 'j1' } },
      '/api/v1/admin/jobs/j1': {
        data: { id: 'j1', kind: 'keyring.rotate', state: 'running', done: 5200, total: 13_000, created_at: '2026-11-23T08:00:00Z', finished_at: null },
      },
      '/api/v1/admin/keyring/recovery': { data: { code: 'K7QHD-9XM2V-3RT5W-8YB4N-6PJ0C-1FGZE-2AS' } },
    },
    async (watch, page) => {
      await signIn(page)
      await go(page, 'file')
      await page.getByText(text.file.faultsTitle).waitFor()
      await page.getByText(text.file.copyGood('14 秒')).waitFor()
      await page.getByText(text.keyring.rotating).waitFor()
      await whole(watch, 'states-file')

      await page.getByRole('button', { name: text.keyring.makeRecovery }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel(text.keyring.password).fill('x')
      await dialog.getByRole('button', { name: text.keyring.showCode }).click()
      await dialog.getByText('K7QHD').waitFor()
      await watch.shot('states-code')
      await page.emulateMedia({ media: 'print' })
      await watch.shot('states-code-on-paper')
      await page.emulateMedia({ media: 'screen' })
      await dialog.getByRole('button', { name: text.keyring.kept }).click()
      await dialog.getByLabel(text.keyring.retyped).fill('K7QHD')
      await dialog.getByRole('button', { name: text.keyring.finish }).click()
      await dialog.getByText(text.keyring.differs).waitFor()
      await watch.shot('states-code-retyped')
      // Leaving now would lose the code: that is asked first.
      await page.keyboard.press('Escape')
      await page.getByRole('button', { name: text.keyring.abandon, exact: true }).click()
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
    },
  ),
)

test.each(widths)('receipts are decided on (%i px)', (width) =>
  withAnswers(width, { '/api/v1/admin/cards': { data: { items: [], next: '' } } }, async (watch, page) => {
    await signIn(page)
    await go(page, 'devices')
    await page.getByRole('link', { name: text.receipts.link }).click()
    await page.getByText(text.receipts.codes.receipt_card).waitFor()
    await whole(watch, 'states-receipts')
    await page.getByRole('button', { name: text.receipts.adopt }).first().click()
    await page.getByRole('dialog').getByRole('button', { name: text.receipts.adopt }).click()
    await page.getByText(text.receipts.needStand).waitFor()
    await watch.shot('states-adopt')
  }),
)

test.each(widths)('the ways in while the appliance does not serve (%i px)', async (width) => {
  const state = (name: string, more: object = {}) => ({ '/api/v1/admin/state': standing(name, more) })
  await withAnswers(width, state('working', { work: 'migrate', done: 31_000, total: 90_000 }), async (watch, page) => {
    await page.getByText(text.standing.works.migrate).waitFor()
    await watch.shot('states-working')
  })
  await withAnswers(width, state('sealed'), async (watch, page) => {
    await page.getByRole('heading', { name: text.sealed.title }).waitFor()
    await watch.shot('states-sealed')
    await page.getByRole('button', { name: text.sealed.useCode }).click()
    await page.getByRole('heading', { name: text.recovery.title }).waitFor()
    await page.getByLabel(text.password.next, { exact: true }).fill('Koi')
    await watch.shot('states-recovery')
  })
  const upload = { '/api/v1/admin/restore-upload': { data: { id: 'u1', token: 't', report } } }
  await withAnswers(width, { ...state('ready', { empty: true }), ...upload }, async (watch, page) => {
    await watch.shot('states-empty')
    await page.getByRole('button', { name: text.restoreDoor.link }).click()
    await page.getByRole('heading', { name: text.restoreDoor.title }).waitFor()
    await watch.shot('states-restore-choose')
    await page.locator('input[type=file]').setInputFiles({ name: 'goldfish-20261122T180000Z.db.zst', mimeType: 'application/zstd', buffer: Buffer.alloc(1000) })
    await page.getByText(text.restoreDoor.confirmHint).waitFor()
    await whole(watch, 'states-restore-decide')
  })
})

test('the console waits out work on the file, goes on by itself, and says what failed', () => {
  let state = standing('ready')
  return withAnswers(1280, { '/api/v1/admin/state': (route: Route) => void route.fulfill({ json: state }) }, async (watch, page) => {
    await signIn(page)
    state = standing('working', { work: 'check', done: 1, total: 4 })
    await page.route('**/api/v1/admin/dashboard', (route) => void route.fulfill({ status: 503, json: { code: 'starting', message: '服务正在启动，请稍候' } }))
    await page.route('**/api/v1/auth/refresh', (route) => void route.fulfill({ json: answers['/api/v1/auth/login'] }))
    await watch.refusing(503, async () => {
      await page.getByRole('button', { name: text.common.refresh }).click()
      await page.getByText(text.standing.works.check).waitFor()
    })
    await page.unroute('**/api/v1/admin/dashboard')
    state = standing('ready', { error_code: 'backup_damaged', error_message: '备份已损坏，数据文件保持原样' })
    await page.getByText('备份已损坏，数据文件保持原样').waitFor()
    await page.getByRole('heading', { level: 1, name: text.dashboard.title }).waitFor()
    await page.getByText(text.fault.title).waitFor({ state: 'hidden' })
    await watch.shot('states-failed-work')
  })
})
