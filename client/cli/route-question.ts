import type { Explanation, Scope } from '../../lib/repair/mod.ts'

/** A command line that only asks how the routes of this home are. */
export interface RouteQuestion {
  readonly action: Explanation['action']
  readonly scope: Scope
  readonly json: boolean
}

const commands: Readonly<Record<string, Explanation['action']>> = {
  'route explain': 'explain',
  'route select': 'select',
  'repair plan': 'repair-plan',
}

const scopes: readonly string[] = ['profile', 'provider', 'account', 'capability']

/**
 * The question that a command line asks, where it is one of those that agents ask before every step and nothing else was
 * said; `null` for any other, which the whole command line then understands or refuses.
 */
export function routeQuestion(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): RouteQuestion | null {
  // A gateway elsewhere is asked in another way.
  if (env.GW_URL || env.GW_TOKEN) return null
  const words: string[] = []
  const scope: Record<string, string> = {}
  let json = false
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!
    if (word === '--json') json = true
    else if (word.startsWith('--')) {
      const equals = word.indexOf('=')
      const name = word.slice(2, equals < 0 ? undefined : equals)
      const value = equals < 0 ? argv[++i] : word.slice(equals + 1)
      if (!scopes.includes(name) || name in scope || !value || value.length > 1_024 || value.startsWith('-')) {
        return null
      }
      scope[name] = value
    } else words.push(word)
  }
  const action = words.length === 2 ? commands[words.join(' ')] : undefined
  return action === undefined ? null : { action, scope, json }
}
