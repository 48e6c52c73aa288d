/** What a token may be allowed to do. `admin` implies every other; `write` implies `read`. */
export const scopes = [
  /** See models, usage of one's own, tasks. */
  'read',
  /** Call models. */
  'write',
  /** Raw pass-through to a provider's API. */
  'proxy',
  /** Bring one's own provider key in a header. */
  'provider-key',
  /** Ask why: routes, quota, liveness. */
  'route:read',
  /** Run admitted repairs and probes. */
  'repair',
  /** Issue narrower tokens than one's own. */
  'tokens',
  /** Call tools of the MCP servers behind the proxy. */
  'mcp',
  /** Everything. */
  'admin',
] as const

/** One permission of a token. */
export type Scope = typeof scopes[number]

/** Every scope: what `admin` stands for. */
const everything: ReadonlySet<Scope> = new Set(scopes)

/**
 * The scopes that a list of granted ones amounts to, implied ones included.
 *
 * @example expandScopes(['write']) // write, read
 */
export function expandScopes(granted: readonly Scope[]): ReadonlySet<Scope> {
  if (granted.includes('admin')) return everything
  const out = new Set(granted)
  if (out.has('write')) out.add('read')
  return out
}
