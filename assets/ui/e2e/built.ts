import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page, Route } from 'playwright-core'

// The built files as the appliance serves them, and answers that a test makes up: for what is hard to bring about
// with a real one. Whether the real one works is for the stories.

export const dist = fileURLToPath(new URL('../dist/', import.meta.url))
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
export function serve(): Promise<Server> {
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
const can = [
  'dashboard:read', 'apps:read', 'apps:write', 'batches:write', 'announcements:read', 'announcements:write', 'devices:read',
  'file:read', 'file:write', 'keyring:read', 'keyring:write', 'receipts:read', 'receipts:write',
]
const user = { id: 'u', username: 'admin', name: '', email: '', role: 'owner', must_change_password: false, permissions: can, created_at: app.created_at }
const days = Array.from({ length: 30 }, (_, day) => ({ day: `2026-11-${String(day + 1).padStart(2, '0')}`, count: day }))

export type Answers = Record<string, unknown>

/** How the appliance stands. */
export const standing = (state: string, more: object = {}) => ({
  data: { state, work: '', done: 0, total: 0, empty: false, recovery: true, error_code: '', error_message: '', ...more },
})

const slot = (kind: string, username = '') => ({ id: `${kind}${username}`, kind, account_id: '', username, created_at: app.created_at, last_used_at: kind === 'machine' ? '2026-11-23T08:00:00Z' : null })
const check = { at: '2026-11-23T08:00:00Z', ok: true, faults: 0, running: false }
const backup = (day: number, folder = 'main') => ({
  name: `goldfish-202611${day}T180000Z.db.zst`,
  folder,
  bytes: 1_300_000 + day * 12_345,
  changed_at: `2026-11-${day}T18:00:00Z`,
  summed: true,
  compressed: true,
})

export const report = {
  name: '', folder: 'main', bytes: 1_572_864, sha256: 'ab01'.repeat(16), newest_at: '2026-11-22T17:59:12Z', release: '1.4.0', schema: 2, epoch: 3,
  seal: 'this_machine', password: true, recovery: true, sealed_rows: 0, appliance_id: '',
  rows: { apps: 2, batches: 5, cards: 12_500, licences: 830, bindings: 912, accounts: 640, announcements: 3, receipts: 0, events: 48_211, marks: 7 },
}

export const plan = {
  enabled: true, at: '02:00', keep_days: 30, second_folder: '/srv/backup', cap_bytes: 0, running: false, work: '', next_at: '2026-11-23T18:00:00Z',
  last_at: '2026-11-22T18:00:04Z', last_ok: true, last_error_code: '', last_error_message: '', last_good_at: '2026-11-22T18:00:04Z', last_bytes: 1_572_864,
  thinned: { count: 0, at: null }, over_cap: false,
}

export const dataFile = {
  path: '/var/lib/goldfish/goldfish.db', bytes: 48_234_496, copy_window_seconds: 60, copy_window_wanted: 60, pins: 12, pinned_bytes: 2_400_000, gaps: 0,
  clean_start: true, last_check: check, low_space: false, epoch: 3, schema: 2, release: '1.4.0',
}

export const keyring = { slots: [slot('machine'), slot('password', 'admin')], recovery_set: false, data_key: { id: 1, created_at: app.created_at }, job_id: '' }

const receipt = (code: string, key = '') => ({
  id: code, app_id: app.id, card_id: key && 'c1', card_key_masked: key, card_state: key && 'active', device_id: '0b7c9e12ab34cd56ef7890ab12cd34ef', platform: 'Windows 11',
  epoch: 2, issued_at: '2026-11-22T20:00:00Z', lease_ends_at: '2026-12-22T20:00:00Z', ends_at: '2026-12-22T20:00:00Z', kept_at: '2026-11-23T07:00:00Z', code,
  state: 'waiting', decided_at: null, may_adopt: true,
})

/** The few answers that it takes to open every kind of part that brings styles of its own. */
export const answers: Answers = {
  '/api/v1/auth/login': { access_token: 'T', expires_in: 7200, data: { user } },
  '/api/v1/admin/dashboard': { data: { apps: 1, accounts: 1, cards: counts, devices: app.devices, activations: days, recent: [], steps: { app: true, keys: true, connected: false } } },
  '/api/v1/admin/apps': { data: { items: [app], next: '' } },
  '/api/v1/admin/announcements': { data: { items: [], next: '' } },
  '/api/v1/admin/status': { data: { version: '1', started_at: app.created_at, data_file: '/x', file_bytes: 1, console_url: '', client_url: '', now: app.created_at, purge: { held: false, since: null, last_seen: null } } },
  '/api/v1/admin/state': standing('ready'),
  '/api/v1/admin/backup-plan': { data: plan },
  '/api/v1/admin/backups': { data: { items: [backup(20), backup(21), backup(22), backup(22, 'second')] } },
  '/api/v1/admin/file': { data: dataFile },
  '/api/v1/admin/keyring': { data: keyring },
  '/api/v1/admin/receipts': { data: { items: [receipt('receipt_card'), receipt('receipt_seat', 'K7QH-****-****-9XM2')], next: '' } },
  '/api/v1/admin/devices': { data: { items: [], next: '' } },
}

/** Answers the API with what is given for a path; a function is asked each time. What is not given never comes. */
export async function answerFor(page: Page, given: Answers = answers) {
  await page.route('**/api/**', (route) => {
    const answer = given[new URL(route.request().url()).pathname]
    if (typeof answer === 'function') (answer as (route: Route) => void)(route)
    else if (answer) void route.fulfill({ json: answer })
  })
}
