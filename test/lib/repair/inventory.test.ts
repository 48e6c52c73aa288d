import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { definitionOf } from '../../../lib/repair/definition/blank.ts'
import { builtinDefinitions } from '../../../lib/repair/definition/builtin.ts'
import { checkDefinition } from '../../../lib/repair/definition/rules.ts'
import { definitionSchema } from '../../../lib/repair/definition/schema.ts'
import { definitionLookup } from '../../../lib/repair/definition/lookup.ts'
import { fillUrl } from '../../../lib/repair/definition/template.ts'
import { tokenMaterial } from '../../../lib/repair/definition/token-material.ts'
import { formatProblem, parseInventory } from '../../../lib/repair/inventory/file.ts'

const examples = join(import.meta.dir, '../../../docs/examples/oauth-mux')

describe('example configurations', () => {
  for (const name of readdirSync(examples)) {
    test(`${name} validates, and nothing in it is ignored`, () => {
      const parsed = parseInventory(readFileSync(join(examples, name), 'utf8'))
      expect(parsed.ok ? [] : parsed.problems.map(formatProblem)).toEqual([])
      expect(parsed.ignored).toEqual([])
    })
  }

  test('there is one of each built-in kind but the one without a probe', () => {
    const kinds = new Set(
      readdirSync(examples).flatMap((name) => {
        const parsed = parseInventory(readFileSync(join(examples, name), 'utf8'))
        return parsed.ok ? Object.values(parsed.config.providers).map(({ kind }) => kind) : []
      }),
    )
    for (const kind of builtinDefinitions().keys()) if (kind !== 'gemini') expect(kinds).toContain(kind)
  })
})

/** A configuration that is right, as plain data to spoil. */
function good() {
  return {
    version: 1,
    defaults: { provider: 'toy', strategy: 'failover' },
    provider_definitions: {
      toy: {
        name: 'toy',
        injection: { direct_env: [['TOY_TOKEN', 'access_token']] },
        runtime: { required_binaries: ['sh'] },
        capabilities: [
          { name: 'read', probe: { url: 'https://toy.example/me', method: 'GET' } },
          { name: 'run', probe: { transport: 'command', command: ['toy', 'status'] } },
          {
            name: 'post',
            probe: {
              url: 'https://toy.example/q',
              method: 'POST',
              body: '{"q":1}',
              auth: 'token_header',
              auth_header: 'X-Toy',
            },
          },
        ],
        failure_rules: [{ status_min: 400, status_max: 499, class: { failure: {} } }],
      },
    },
    providers: { toy: { kind: 'toy', accounts: { a: { secret: { backend: 'env', variable: 'TOY' } }, b: {} } } },
    profiles: { main: { providers: ['toy:a#read', 'toy:b'], strategy: 'failover' } },
    strategies: { failover: { kind: 'priority-failover' } },
  }
}

// deno-lint-ignore no-explicit-any -- a document to break at will
type Loose = any
const definition = (c: Loose) => c.provider_definitions.toy
const probe = (c: Loose, i = 0) => definition(c).capabilities[i].probe
const at = (path: string) => `provider_definitions.toy.${path}`
const probeAt = (field: string, i = 0) => at(`capabilities.${i}.probe${field && `.${field}`}`)
const rule = (c: Loose, value: unknown) => definition(c).failure_rules = [value]
const secret = (value: unknown) => (c: Loose) => c.providers.toy.accounts.a.secret = value

/** Each rejection: its name, how to provoke it, where it is reported. */
const rejections: readonly (readonly [string, (config: Loose) => unknown, string])[] = [
  ['unknown default provider', (c) => c.defaults.provider = 'nobody', 'defaults.provider'],
  ['unknown default strategy', (c) => c.defaults.strategy = 'luck', 'defaults.strategy'],
  ['unknown default profile', (c) => c.defaults.profile = 'x', 'defaults.profile'],
  ['empty provider name', (c) => c.providers[''] = { kind: 'toy' }, 'providers.""'],
  ['provider name with a separator', (c) => c.providers['a:b'] = { kind: 'toy' }, 'providers.a:b'],
  ['empty kind', (c) => c.providers.toy.kind = '', 'providers.toy.kind'],
  ['empty account name', (c) => c.providers.toy.accounts[''] = {}, 'providers.toy.accounts.""'],
  ['kind that nothing defines', (c) => c.providers.other = { kind: 'other' }, 'providers.other.kind'],
  [
    'keychain without a service',
    secret({ backend: 'keychain', account: 'a' }),
    'providers.toy.accounts.a.secret.service',
  ],
  [
    'keychain without an account',
    secret({ backend: 'keychain', service: 'a' }),
    'providers.toy.accounts.a.secret.account',
  ],
  ['sops without a path', secret({ backend: 'sops' }), 'providers.toy.accounts.a.secret.path'],
  ['age without an identity', secret({ backend: 'age', path: 'x' }), 'providers.toy.accounts.a.secret.identity'],
  ['age without a path', secret({ backend: 'age', identity: 'x' }), 'providers.toy.accounts.a.secret.path'],
  ['env without a variable', secret({ backend: 'env' }), 'providers.toy.accounts.a.secret.variable'],
  ['env with an empty variable', secret({ backend: 'env', variable: '' }), 'providers.toy.accounts.a.secret.variable'],
  ['file without a path', secret({ backend: 'file' }), 'providers.toy.accounts.a.secret.path'],
  ['command without a program', secret({ backend: 'command', command: [] }), 'providers.toy.accounts.a.secret.command'],
  [
    'command as a shell line',
    secret({ backend: 'command', command: 'x y' }),
    'providers.toy.accounts.a.secret.command',
  ],
  ['unknown backend', secret({ backend: 'post-it' }), 'providers.toy.accounts.a.secret.backend'],
  ['profile entry without an account', (c) => c.profiles.main.providers = ['toy'], 'profiles.main.providers.0'],
  [
    'profile entry with an empty capability',
    (c) => c.profiles.main.providers = ['toy:a#'],
    'profiles.main.providers.0',
  ],
  ['profile entry of an unknown provider', (c) => c.profiles.main.providers = ['x:a'], 'profiles.main.providers.0'],
  ['profile entry of an unknown account', (c) => c.profiles.main.providers = ['toy:z'], 'profiles.main.providers.0'],
  ['profile with an unknown strategy', (c) => c.profiles.main.strategy = 'x', 'profiles.main.strategy'],
  ['unknown strategy kind', (c) => c.strategies.failover.kind = 'x', 'strategies.failover.kind'],
  ['empty definition name', (c) => definition(c).name = '', at('name')],
  ['definition under an empty name', (c) => c.provider_definitions[''] = { name: 'x' }, 'provider_definitions.""'],
  [
    'empty access token path',
    (c) => definition(c).credential = { access_token_path: '' },
    at('credential.access_token_path'),
  ],
  [
    'empty refresh token path',
    (c) => definition(c).credential = { refresh_token_path: '' },
    at('credential.refresh_token_path'),
  ],
  [
    'empty credential file name',
    (c) => definition(c).injection.credential_filename = '',
    at('injection.credential_filename'),
  ],
  [
    'credential file name that is a path',
    (c) => definition(c).injection.credential_filename = '../x',
    at('injection.credential_filename'),
  ],
  [
    'direct_env of another field',
    (c) => definition(c).injection.direct_env = [['A', 'id_token']],
    at('injection.direct_env.0.1'),
  ],
  [
    'direct_env without a variable',
    (c) => definition(c).injection.direct_env = [['', 'access_token']],
    at('injection.direct_env.0.0'),
  ],
  ...(['required_binaries', 'env_vars', 'writable_paths', 'session_paths'] as const).map((list) =>
    [`empty item in ${list}`, (c: Loose) => definition(c).runtime[list] = ['x', ''], at(`runtime.${list}.1`)] as const
  ),
  ['unsupported probe method', (c) => probe(c).method = 'PUT', probeAt('method')],
  ['empty probe URL', (c) => probe(c).url = '', probeAt('url')],
  ['token in a URL', (c) => probe(c).url = 'https://toy.example/?access_token=1', probeAt('url')],
  ['token placeholder in a URL', (c) => probe(c).url = 'https://toy.example/{{Access_Token}}', probeAt('url')],
  ['token in a body', (c) => probe(c, 2).body = '{"refresh_token":"x"}', probeAt('body', 2)],
  [
    'token in a command',
    (c) => probe(c, 1).command = ['curl', '-H', 'Authorization: Bearer x'],
    probeAt('command.2', 1),
  ],
  ['token over two words of a command', (c) => probe(c, 1).command = ['toy', 'bearer', 'x'], probeAt('command', 1)],
  ['malformed template', (c) => probe(c).url = 'https://toy.example/{{A B}}', probeAt('url')],
  ['unclosed template', (c) => probe(c).url = 'https://toy.example/{{A', probeAt('url')],
  ['token_header without a name', (c) => delete probe(c, 2).auth_header, probeAt('auth_header', 2)],
  ['token_header with an unsafe name', (c) => probe(c, 2).auth_header = 'X: y', probeAt('auth_header', 2)],
  ['token_header named Authorization', (c) => probe(c, 2).auth_header = 'authorization', probeAt('auth_header', 2)],
  ['body without POST', (c) => probe(c).body = 'x', probeAt('body')],
  ['empty body', (c) => probe(c, 2).body = '', probeAt('body', 2)],
  ['empty command', (c) => probe(c, 1).command = [], probeAt('command', 1)],
  ['missing command', (c) => delete probe(c, 1).command, probeAt('command', 1)],
  ['timeout of 0', (c) => probe(c).timeout_ms = 0, probeAt('timeout_ms')],
  ['inverted success range', (c) => probe(c).success_status_min = 300, probeAt('success_status_min')],
  ['interactive probe', (c) => probe(c).budget = 'interactive', probeAt('budget')],
  ['mutating probe', (c) => probe(c).budget = 'mutating', probeAt('budget')],
  ['unknown budget', (c) => probe(c).budget = 'cheap', probeAt('budget')],
  ['probes without failure rules', (c) => definition(c).failure_rules = [], at('failure_rules')],
  ['rule without a matcher', (c) => rule(c, { class: { failure: {} } }), at('failure_rules.0')],
  [
    'rule with an empty hint_equals',
    (c) => rule(c, { hint_equals: '', class: { failure: {} } }),
    at('failure_rules.0.hint_equals'),
  ],
  [
    'rule with an empty hint_contains',
    (c) => rule(c, { hint_contains: '', class: { failure: {} } }),
    at('failure_rules.0.hint_contains'),
  ],
  [
    'rule with min > max',
    (c) => rule(c, { status_min: 500, status_max: 400, class: { failure: {} } }),
    at('failure_rules.0.status_min'),
  ],
  [
    'rule with gte = lt',
    (c) => rule(c, { retry_after_gte: 5, retry_after_lt: 5, class: { failure: {} } }),
    at('failure_rules.0.retry_after_gte'),
  ],
  ['rule of an unknown class', (c) => rule(c, { status: 400, class: { sad: {} } }), at('failure_rules.0.class')],
  [
    'rule of two classes',
    (c) => rule(c, { status: 400, class: { failure: {}, success: {} } }),
    at('failure_rules.0.class'),
  ],
  ['two capabilities of one name', (c) => definition(c).capabilities[1].name = 'read', at('capabilities.1.name')],
  ['capability name with a separator', (c) => definition(c).capabilities[1].name = 'a#b', at('capabilities.1.name')],
  ['another version', (c) => c.version = 2, 'version'],
]

describe('parseInventory() rejects', () => {
  test('nothing in the configuration that the cases start from', () => {
    const parsed = parseInventory(JSON.stringify(good()))
    expect(parsed.ok ? [] : parsed.problems.map(formatProblem)).toEqual([])
  })
  for (const [name, spoil, where] of rejections) {
    test(name, () => {
      const config = good()
      spoil(config)
      const parsed = parseInventory(JSON.stringify(config))
      const places = parsed.ok ? [] : parsed.problems.map((problem) => formatProblem(problem).split(': ')[0])
      expect(places).toContain(where)
    })
  }
  for (const text of ['', '{', 'null', '[]', '{"providers":7}', '"x"', '{"a":'.repeat(300)]) {
    test(`the document ${text.slice(0, 20)} without a crash`, () => expect(parseInventory(text).ok).toBe(false))
  }
  test('a file over its bound', () => expect(parseInventory(' '.repeat(1024 * 1024 + 1)).ok).toBe(false))
})

test('parseInventory() finds all problems at once', () => {
  const config = good()
  config.defaults.provider = 'x'
  config.profiles.main.providers = ['nothing']
  probe(config).url = ''
  const parsed = parseInventory(JSON.stringify(config))
  expect(parsed.ok ? 0 : parsed.problems.length).toBe(3)
})

test('parseInventory() leaves unknown members out and names them', () => {
  const config: Loose = good()
  config.colour = 'blue'
  config.providers.toy.accounts.a.secret.note = 'x'
  definition(config).capabilities[0].probe.retries = 3
  const parsed = parseInventory(JSON.stringify(config))
  expect(parsed.ok).toBe(true)
  expect([...parsed.ignored].sort()).toEqual([
    'colour',
    'provider_definitions.toy.capabilities.0.probe.retries',
    'providers.toy.accounts.a.secret.note',
  ])
})

test('parseInventory() raises nothing, whatever the text', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
    expect(typeof parseInventory(text).ok).toBe('boolean')
  }))
})

test('the built-in definitions obey their own rules', () => {
  for (const [name, row] of builtinDefinitions()) expect([name, checkDefinition(row)]).toEqual([name, []])
})

describe('definitionLookup() order', () => {
  const own = (name: string) => definitionSchema().parse({ name, display_name: `own ${name}` })
  for (
    const [provider, kind, definitions, from] of [
      ['github', 'codex', { github: own('github'), codex: own('codex') }, 'own_name'],
      ['work', 'codex', { codex: own('codex') }, 'own_kind'],
      ['github', 'codex', {}, 'builtin_kind'],
      ['github', 'unheard-of', {}, 'builtin_name'],
      ['x', 'unheard-of', {}, 'generic'],
    ] as const
  ) {
    test(`${provider} of kind ${kind}: ${from}`, () => {
      expect(definitionLookup(definitions)(provider, kind).from).toBe(from)
    })
  }
})

describe('tokenMaterial()', () => {
  for (
    const [text, found] of [
      ['https://x.example/me', false],
      ['the bearer of news', true],
      ['Authorization%3A x', true],
      ['bearer%20abc', true],
      ['?ID_TOKEN=1', true],
      ['{"access_token":1}', true],
      ['{{refresh_token}}', true],
      ['{"query":"query { viewer { id } }"}', false],
    ] as const
  ) test(`${text} → ${found}`, () => expect(tokenMaterial(text) !== null).toBe(found))
})

describe('fillUrl()', () => {
  test('definitionOf() fills in what the schema would', () => {
    const strip = (value: unknown) => JSON.parse(JSON.stringify(value))
    for (const [name, row] of builtinDefinitions()) {
      expect([name, strip(definitionSchema().parse(structuredClone(row)))]).toEqual([name, strip(row)])
    }
    for (
      const sparse of [{ name: 'a' }, {
        name: 'b',
        capabilities: [{ name: 'c', probe: {} }],
        auth: { pkce: undefined },
      }]
    ) {
      expect(definitionOf(sparse)).toEqual(definitionSchema().parse(sparse))
    }
  })

  test('fills a name from the environment', () => {
    expect(fillUrl('https://x.example/f/{{KEY}}/m', { KEY: 'a-b.c_d~1' })).toBe('https://x.example/f/a-b.c_d~1/m')
  })
  for (const value of [undefined, '', 'a/b', '../x', 'a b', 'a?b', 'a%2fb', 'a@b']) {
    test(`refuses the value ${value}`, () => {
      expect(() => fillUrl('https://x.example/{{KEY}}', { KEY: value })).toThrow()
    })
  }
  test('takes a whole URL where the template is one name', () => {
    expect(fillUrl('{{URL}}', { URL: 'https://mcp.example/x' })).toBe('https://mcp.example/x')
    for (const URL of ['file:///etc/passwd', 'https://u:p@x.example', 'nonsense', undefined]) {
      expect(() => fillUrl('{{URL}}', { URL })).toThrow()
    }
  })
})
