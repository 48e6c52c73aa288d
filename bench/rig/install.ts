import { existsSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Folder that peers are installed in: `GW_BENCH_CACHE`, else under the user's cache. Never inside the repository. */
export function cacheFolder(): string {
  return process.env['GW_BENCH_CACHE'] ??
    join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'gw-bench')
}

/** Installs a package from the registry once, without running its scripts, and returns the folder it is in. */
export async function install(name: string, version: string): Promise<string | { skipped: string }> {
  const folder = join(cacheFolder(), `${name.replaceAll('/', '+')}@${version}`)
  if (existsSync(join(folder, 'node_modules', name, 'package.json'))) return folder
  const npm = Bun.which('npm')
  if (npm === null) return { skipped: `npm is not installed, so ${name} cannot be` }
  mkdirSync(folder, { recursive: true })
  console.error(`installing ${name}@${version} into ${folder}`)
  const child = Bun.spawn(
    [npm, 'install', '--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts', `${name}@${version}`],
    { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' },
  )
  const said = await new Response(child.stderr).text()
  return await child.exited === 0 ? folder : { skipped: `installing ${name} failed: ${said.slice(-300).trim()}` }
}
