import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const binary = process.env['GOLDFISH_BIN'] ?? fileURLToPath(new URL('../../../.build/goldfish', import.meta.url))

/** Waits until `ready` says so; fails with what was awaited. */
export async function until(what: string, ready: () => Promise<boolean> | boolean, seconds = 30): Promise<void> {
  const end = Date.now() + seconds * 1000
  while (!(await ready())) {
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`)
    await new Promise((done) => setTimeout(done, 100))
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** A running program whose every line is kept. */
export interface Program {
  lines: string[]
  /** Waits for a line that begins so, and gives it. */
  says(beginning: string, seconds?: number): Promise<string>
  /** Waits for its end, and gives the exit code. */
  ends(): Promise<number | null>
  stop(): Promise<void>
}

function program(name: string, child: ChildProcess): Program {
  const lines: string[] = []
  let rest = ''
  const hear = (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
  }
  child.stdout?.on('data', hear)
  child.stderr?.on('data', hear)
  const ended = once(child, 'exit')
  return {
    lines,
    async says(beginning, seconds = 30) {
      const find = () => lines.find((line) => line.startsWith(beginning))
      await until(`${name} to say ${beginning}; it said:\n${lines.slice(-20).join('\n')}`, () => find() !== undefined, seconds)
      return find() ?? ''
    },
    async ends() {
      await ended
      return child.exitCode
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await ended
    },
  }
}

export interface Appliance {
  consoleUrl: string
  clientUrl: string
  folder: string
  /** The data file. */
  file: string
  /** Starts the sample that lies in `folder` as a customer's computer would. */
  sample(options: { username: string; password: string; cardKey: string; device: string }): Program
  /** Stops the server, does something meanwhile, and starts it again in the same place. */
  pause(during: () => Promise<void>): Promise<void>
  stop(): Promise<void>
}

export interface Beginning {
  /** A data file to begin with, copied as it lies there, also while another appliance uses it. */
  copyOf?: string
  /** How it stands when it is begun: sealed, where the file came from another machine. */
  stands?: 'ready' | 'sealed'
}

/** The real binary on free ports, with a data folder and a machine key of its own. */
export async function startAppliance({ copyOf, stands = 'ready' }: Beginning = {}): Promise<Appliance> {
  if (!existsSync(binary)) throw new Error(`${binary} is not built: ./build.sh build, or name it in GOLDFISH_BIN`)
  const folder = await mkdtemp(join(tmpdir(), 'goldfish-e2e-'))
  const [consolePort, clientPort] = [await freePort(), await freePort()]
  const consoleUrl = `http://127.0.0.1:${consolePort}`
  const clientUrl = `http://127.0.0.1:${clientPort}`
  const file = join(folder, 'data', 'goldfish.db')
  if (copyOf) {
    await mkdir(join(folder, 'data'))
    await copyFile(copyOf, file)
  }
  const begin = async (wanted: string) => {
    const started = program('the appliance', spawn(binary, settings, { stdio: ['ignore', 'pipe', 'pipe'] }))
    await until(`the appliance at ${consoleUrl} to be ${wanted}`, () =>
      fetch(`${consoleUrl}/api/v1/admin/state`).then(
        async (answer) => answer.ok && ((await answer.json()) as { data: { state: string } }).data.state === wanted,
        () => false,
      ),
    ).catch((cause: unknown) => {
      throw new Error(`${String(cause)}; it said:\n${started.lines.join('\n')}`)
    })
    return started
  }
  const settings = [
    'serve',
    `--data=${join(folder, 'data')}`,
    `--machine-key=${join(folder, 'machine.key')}`,
    `--console-listen=127.0.0.1:${consolePort}`,
    `--api-listen=127.0.0.1:${clientPort}`,
  ]
  let server = await begin(stands)
  return {
    consoleUrl,
    clientUrl,
    folder,
    file,
    sample({ username, password, cardKey, device }) {
      const state = join(folder, `state-${device}`)
      void mkdir(state, { recursive: true })
      const child = spawn('python3', ['my_app.py', '--register', '--pretend-device', device], {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...process.env,
          HOME: state,
          XDG_STATE_HOME: join(state, 'state'),
          PYTHONIOENCODING: 'utf-8',
          GOLDFISH_USERNAME: username,
          GOLDFISH_PASSWORD: password,
          GOLDFISH_CARD_KEY: cardKey,
        },
      })
      return program('the sample', child)
    },
    async pause(during) {
      await server.stop()
      await during()
      server = await begin('ready')
    },
    async stop() {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
