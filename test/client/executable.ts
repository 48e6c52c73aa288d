import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dir, '../..')

/** The executable, built for one test file. */
export interface Executable {
  readonly path: string
  remove(): void
}

/**
 * Builds the executable as the build script does, with these defines. `quick` leaves out the bytecode, which takes most
 * of the time.
 */
export async function buildExecutable(
  { quick = false, define = {} }: { quick?: boolean; define?: Readonly<Record<string, string>> } = {},
): Promise<Executable> {
  const folder = mkdtempSync(join(tmpdir(), 'gw-built-'))
  const path = join(folder, 'gw')
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const words = (scripts.build as string).split(' ').map((word) => word === 'dist/gw' ? path : word)
  const [, ...argv] = quick ? words.filter((word) => word !== '--bytecode') : words
  const defines = Object.entries(define).flatMap(([name, value]) => ['--define', `${name}=${value}`])
  const child = Bun.spawn([process.execPath, ...argv, ...defines], { cwd: root, stdout: 'ignore', stderr: 'pipe' })
  const said = await new Response(child.stderr).text()
  if (await child.exited !== 0) throw new Error(said)
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
