import manifest from '../package.json' with { type: 'json' }

/** The version of this gw. */
export const version: string = manifest.version

/** The oldest versions that gw is tested on. */
const oldest: readonly (readonly [runtime: 'bun' | 'deno' | 'node', major: number, minor: number])[] = [
  ['bun', 1, 4],
  ['deno', 2, 9],
  ['node', 22, 18],
]

/**
 * Why gw does not run on a runtime, and what to install; `null` when it does.
 *
 * @param versions `process.versions`: Bun and Deno name themselves there beside the Node that they stand for
 */
export function outdatedRuntime(
  versions: Readonly<Record<string, string | undefined>>,
): { readonly found: string; readonly fix: string } | null {
  for (const [runtime, major, minor] of oldest) {
    const version = versions[runtime]
    if (version === undefined) continue
    const [hasMajor = 0, hasMinor = 0] = version.split('.').map(Number)
    if (hasMajor > major || (hasMajor === major && hasMinor >= minor)) return null
    const name = runtime[0]!.toUpperCase() + runtime.slice(1)
    return { found: `${name} ${version} is too old`, fix: `install ${name} ${major}.${minor} or newer` }
  }
  return null
}
