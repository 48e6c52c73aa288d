import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { isGwError, Secret, silentLogger, systemClock } from '../../../lib/base/mod.ts'
import { accountSchema } from '../../../lib/accounts/config.ts'
import { type AccountRecord, openAccounts } from '../../../lib/accounts/mod.ts'
import { discoverAccounts } from '../../../lib/accounts/discover.ts'
import type { Provider } from '../../../lib/catalog/mod.ts'
import { createSources } from '../../../lib/credentials/mod.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import { openSecretStore } from '../../../lib/secrets/mod.ts'
import { openStorage } from '../../../lib/storage/mod.ts'
import { cleanUp, tempFolder } from '../../support/cleanups.ts'

const provider = (id: string, extra: Partial<Provider> = {}): Provider => ({
  id,
  name: id.toUpperCase(),
  aliases: [],
  env: [`${id.toUpperCase()}_API_KEY`],
  auth: { type: 'bearer' },
  deployments: [{ protocol: 'openai-chat', capabilities: ['chat'], baseUrl: `https://api.${id}.test/v1` }],
  docs: `https://docs.${id}.test`,
  ...extra,
})
const providers = [
  provider('alpha', { env: ['ALPHA_OAUTH_TOKEN', 'ALPHA_API_KEY', 'ALPHA_KEY'] }),
  provider('beta'),
  provider('here', { local: true, auth: { type: 'none' } }),
  provider('cloud', { auth: { type: 'sigv4', service: 'x' }, env: ['CLOUD_BEARER_TOKEN', 'AWS_ACCESS_KEY_ID'] }),
]

const cleanups = cleanUp()

async function home(declared: Record<string, unknown> = {}, env: Record<string, string> = {}) {
  const folder = tempFolder(cleanups, 'accounts')
  const storage = await openStorage({ platform: await detectPlatform(), clock: systemClock, path: join(folder, 'db') })
  cleanups.push(() => storage.close())
  const secrets = await openSecretStore({ storage, clock: systemClock, keyFile: join(folder, 'key'), keychain: null })
  const records: Record<string, AccountRecord> = Object.fromEntries(
    Object.entries(declared).map(([id, record]) => [id, accountSchema.parse(record)]),
  )
  const open = () => {
    const sources = createSources({
      env,
      clock: systemClock,
      fetch: () => Promise.reject(new Error('no network')),
      secrets,
      keychain: null,
      grants: {
        readLogin: () => Promise.reject(new Error('none')),
        readForeign: () => Promise.reject(new Error('none')),
      },
    })
    return openAccounts({
      storage,
      clock: systemClock,
      logger: silentLogger,
      secrets,
      sources,
      env,
      providers: () => providers,
      declared: () => records,
    })
  }
  return { storage, secrets, open, accounts: await open() }
}

const codeOf = async (work: () => unknown): Promise<string> => {
  try {
    await work()
    return 'no error'
  } catch (error) {
    return isGwError(error) ? error.code : String(error)
  }
}

describe('accounts', () => {
  test('a stored account keeps its secret sealed, and another process sees it', async () => {
    const { accounts, open, storage, secrets } = await home()
    const added = await accounts.add({ provider: 'alpha', token: 'sk-canary-2' })
    expect([added.id, added.origin, added.source]).toEqual(['alpha' as never, 'store', {
      type: 'store',
      ref: 'account/alpha',
    }])
    const rows = JSON.stringify(await storage.db.selectFrom('accounts').selectAll().execute())
    expect(rows).not.toContain('canary')
    const credential = await (await open()).credentialFor(added)
    expect([credential.secret.reveal(), credential.kind, credential.audience]).toEqual([
      'sk-canary-2',
      'api-key',
      ['https://api.alpha.test'],
    ])
    await accounts.remove('alpha')
    expect(await secrets.get('account/alpha')).toBeNull()
    expect(accounts.list()).toEqual([])
  })

  test('a second account of a provider gets a free name, a taken one is a conflict', async () => {
    const { accounts } = await home()
    await accounts.add({ provider: 'alpha', token: 'a' })
    expect((await accounts.add({ provider: 'alpha', token: 'b' })).id as string).toBe('alpha-2')
    expect(await codeOf(() => accounts.add({ provider: 'alpha', id: 'alpha', token: 'c' }))).toBe('request.conflict')
    expect(await codeOf(() => accounts.add({ provider: 'nobody', token: 'c' }))).toBe('provider.not_found')
    expect(await codeOf(() => accounts.add({ provider: 'alpha', id: '../x', token: 'c' }))).toBe('request.invalid')
    expect(await codeOf(() => accounts.get('gone'))).toBe('account.not_found')
  })

  test('update() changes fields and replaces the secret; accounts declared elsewhere are refused', async () => {
    const { accounts } = await home({ fixed: { provider: 'beta', token: 'sk-fixed' } })
    await accounts.add({ provider: 'alpha', id: 'mine', token: 'old' })
    const changed = await accounts.update('mine', { priority: 7, token: 'new' })
    expect([changed.priority, (await accounts.credentialFor(changed)).secret.reveal()]).toEqual([7, 'new'])
    expect((await accounts.setEnabled('mine', false)).enabled).toBe(false)
    expect(await codeOf(() => accounts.update('fixed', { priority: 1 }))).toBe('request.conflict')
    expect(await codeOf(() => accounts.remove('fixed'))).toBe('request.conflict')
  })

  test('base_url binds the credential to that origin alone', async () => {
    const { accounts } = await home({ own: { provider: 'beta', token: 'k', base_url: 'https://proxy.test/beta' } })
    expect((await accounts.credentialFor(accounts.get('own'))).audience).toEqual(['https://proxy.test'])
  })

  test('kind and account id come from the account; a missing id fails before anything is sent', async () => {
    const { accounts } = await home({
      a: { provider: 'beta', token: 'k', kind: 'auth_token', account_id: 'acc-1' },
      b: { provider: 'beta', token: 'k', account_id_env: 'NO_SUCH' },
    })
    const credential = await accounts.credentialFor(accounts.get('a'))
    expect([credential.kind, credential.accountId]).toEqual(['auth-token', 'acc-1'])
    expect(await codeOf(() => accounts.credentialFor(accounts.get('b')))).toBe('credential.unavailable')
  })

  test('two accounts with one key are one identity and no spare of each other', async () => {
    const { accounts } = await home({
      a: { provider: 'beta', token: 'same' },
      b: { provider: 'beta', token: '${KEY}' },
      c: { provider: 'beta', token: 'other' },
    }, { KEY: 'same' })
    await accounts.learnIdentities()
    expect(accounts.sameIdentity(accounts.get('a')).map((account) => account.id as string)).toEqual(['b'])
    expect(accounts.sameIdentity(accounts.get('c'))).toEqual([])
  })

  test('a key that is replaced by that of another account is known to be the same before it is used', async () => {
    const { accounts } = await home({})
    await accounts.add({ provider: 'beta', id: 'x' }, new Secret('sk-one'))
    await accounts.add({ provider: 'beta', id: 'y' }, new Secret('sk-two'))
    await accounts.learnIdentities()
    expect(accounts.sameIdentity(accounts.get('x'))).toEqual([])
    await accounts.update('y', {}, new Secret('sk-one'))
    // It is learnt beside the reading of the store.
    for (let turn = 0; turn < 1000 && accounts.identityOf('y') === null; turn++) await new Promise(setImmediate)
    expect(accounts.sameIdentity(accounts.get('x')).map((account) => account.id as string)).toEqual(['y'])
  })

  test('an account on this machine needs no secret', async () => {
    const { accounts } = await home({ llama: { provider: 'here' }, keyless: { provider: 'beta' } })
    expect((await accounts.credentialFor(accounts.get('llama'))).kind).toBe('none')
    expect(await codeOf(() => accounts.credentialFor(accounts.get('keyless')))).toBe('credential.unavailable')
  })

  test('only one source and one account id may be written', () => {
    const issues = accountSchema.safeParse({
      provider: 'x',
      token: 'a',
      token_env: 'B',
      account_id: 'c',
      account_id_env: 'D',
    })
    expect(issues.error?.issues.map((issue) => issue.path.join('.'))).toEqual(['token_env', 'account_id_env'])
    expect(accountSchema.safeParse({ provider: 'x', tokn: 'a' }).success).toBe(false)
  })
})

describe('discoverAccounts()', () => {
  test('takes each distinct key of a provider in the order of its variables', () => {
    const found = discoverAccounts(providers, {
      ALPHA_API_KEY: 'one',
      ALPHA_KEY: 'one',
      ALPHA_OAUTH_TOKEN: 'plan',
      BETA_API_KEY: ' ',
    })
    expect(found.map(({ id, kind, plan }) => [id as string, kind, plan])).toEqual([
      ['alpha', 'auth-token', true],
      ['alpha-alpha-api-key', undefined, false],
    ])
  })
  test('never activates what runs on this machine, and reads AWS keys as a pair', () => {
    const found = discoverAccounts(providers, {
      HERE_API_KEY: 'x',
      AWS_ACCESS_KEY_ID: 'a',
      AWS_SECRET_ACCESS_KEY: 'b',
    })
    expect(found.map(({ provider, source }) => [provider, source.type])).toEqual([['cloud', 'aws']])
  })
  test('a variable that an account already uses makes no second account, and a taken name gives way', async () => {
    const { accounts } = await home({ alpha: { provider: 'alpha', token_env: 'ALPHA_API_KEY' } }, {
      ALPHA_API_KEY: 'one',
      ALPHA_KEY: 'two',
    })
    expect(accounts.list().map(({ id, origin }) => [id as string, origin])).toEqual([
      ['alpha', 'config'],
      ['alpha-alpha-key', 'environment'],
    ])
    expect((await accounts.credentialFor(accounts.get('alpha'))).secret).toBeInstanceOf(Secret)
  })
})

test("writing the environment's own key down keeps its name; another key stands beside it", async () => {
  const env = { BETA_API_KEY: 'one' }
  const { accounts } = await home({}, env)
  expect(accounts.list().map(({ id, origin }) => `${id} ${origin}`)).toEqual(['beta environment'])
  await accounts.add({ provider: 'beta' }, new Secret('another'))
  expect(accounts.list().map(({ id }) => id as string).sort()).toEqual(['beta', 'beta-2'])
  await accounts.add({ provider: 'beta', token_env: 'BETA_API_KEY' })
  expect(accounts.list().map(({ id, origin }) => `${id} ${origin}`).sort()).toEqual(['beta store', 'beta-2 store'])
})
