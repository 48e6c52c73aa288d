import { describe, expect, test } from 'bun:test'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  ensurePrivateDir,
  paths,
  processAlive,
  readBounded,
  runCommand,
  statFile,
  writeAtomic,
} from '../../../lib/platform/mod.ts'

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'gw-files-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe('writeAtomic()', () => {
  test('makes a private file and leaves nothing beside it', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'secret')
      await writeAtomic(path, 'one')
      await writeAtomic(path, 'two')
      expect(await readFile(path, 'utf8')).toBe('two')
      expect((await stat(path)).mode & 0o777).toBe(0o600)
      expect(await readdir(folder)).toEqual(['secret'])
    }))
  test('replaces a link instead of following it', () =>
    inFolder(async (folder) => {
      const [victim, link] = [join(folder, 'victim'), join(folder, 'link')]
      await writeFile(victim, 'mine')
      await symlink(victim, link)
      await writeAtomic(link, 'theirs')
      expect(await readFile(victim, 'utf8')).toBe('mine')
    }))
  test('leaves the old file and no temp file when the folder cannot be written to', () =>
    inFolder(async (folder) => {
      await mkdir(join(folder, 'taken'))
      await expect(writeAtomic(join(folder, 'taken'), 'x')).rejects.toThrow()
      expect(await readdir(folder)).toEqual(['taken'])
    }))
})

test('ensurePrivateDir() tightens a folder that others can read', () =>
  inFolder(async (folder) => {
    await mkdir(join(folder, 'home'))
    await chmod(join(folder, 'home'), 0o755)
    await ensurePrivateDir(join(folder, 'home'))
    expect((await stat(join(folder, 'home'))).mode & 0o777).toBe(0o700)
  }))

describe('readBounded()', () => {
  test('gives null for what is not there', () =>
    inFolder(async (folder) => {
      expect(await readBounded(join(folder, 'none'))).toBeNull()
      expect(await statFile(join(folder, 'none'))).toBeNull()
    }))
  test('refuses a folder and a file that is too large', () =>
    inFolder(async (folder) => {
      await expect(readBounded(folder)).rejects.toMatchObject({ code: 'config.unreadable' })
      await writeFile(join(folder, 'big'), 'x'.repeat(100))
      await expect(readBounded(join(folder, 'big'), 99)).rejects.toMatchObject({ code: 'config.unreadable' })
    }))
})

describe('paths()', () => {
  for (
    const [env, config, database] of [
      [{ HOME: '/h' }, '/h/.config/gw/config.toml', '/h/.local/share/gw/gw.sqlite'],
      [{ HOME: '/h', GW_HOME: '/g' }, '/g/config.toml', '/g/gw.sqlite'],
      [{ HOME: '/h', GW_CONFIG: '/c.toml' }, '/c.toml', '/h/.local/share/gw/gw.sqlite'],
      [{ HOME: '/h', XDG_CONFIG_HOME: '/x', XDG_DATA_HOME: '/d' }, '/x/gw/config.toml', '/d/gw/gw.sqlite'],
    ] as const
  ) {
    test(`${JSON.stringify(env)}`, () => {
      expect([paths(env).config, paths(env).database]).toEqual([config, database])
    })
  }
})

describe('runCommand()', () => {
  const timeoutMs = 10_000
  test('gives status and both outputs', async () => {
    const result = await runCommand(['sh', '-c', 'cat; echo err >&2; exit 3'], { timeoutMs, input: 'in' })
    expect(result).toEqual({ status: 3, stdout: 'in', stderr: 'err\n', timedOut: false })
  })
  test('ends a program that takes too long', async () => {
    expect(await runCommand(['sleep', '60'], { timeoutMs: 30 })).toMatchObject({ status: null, timedOut: true })
  })
  test('ends a program that prints too much', async () => {
    await expect(runCommand(['yes'], { timeoutMs, maxOutputBytes: 1_000 })).rejects.toThrow(/printed more than/)
  })
  test('says when a program is not there', async () => {
    await expect(runCommand(['gw-no-such-program'], { timeoutMs })).rejects.toThrow(/not found on PATH/)
  })
  test('never goes through a shell', async () => {
    expect((await runCommand(['echo', '$(id); rm -rf x'], { timeoutMs })).stdout).toBe('$(id); rm -rf x\n')
  })
  test('ends when the caller stops waiting', async () => {
    const abort = new AbortController()
    const running = runCommand(['sleep', '60'], { timeoutMs, signal: abort.signal })
    abort.abort()
    await expect(running).rejects.toMatchObject({ code: 'cancelled' })
  })
})

test('processAlive() knows this process and no impossible one', () => {
  expect(processAlive(process.pid)).toBe(true)
  expect(processAlive(2 ** 22 + 1)).toBe(false)
})
