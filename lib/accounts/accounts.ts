import { createHash } from 'node:crypto'
import { type Clock, GwError, type Logger, Secret } from '../base/mod.ts'
import type { Provider } from '../catalog/mod.ts'
import { type Credential, originsOf, type Reading, type ReadOptions, type Sources } from '../credentials/mod.ts'
import type { SecretStore } from '../secrets/mod.ts'
import type { Storage } from '../storage/mod.ts'
import { type Account, accountIdPattern, sourceKeys, storedRef } from './account.ts'
import type { AccountRecord } from './config.ts'
import { discoverAccounts } from './discover.ts'
import { isPlan, isPlanToken } from './plan.ts'
import { accountFrom } from './record.ts'

/** What a stored account may be made of: a written record, and maybe the secret itself. */
export type NewAccount = Partial<AccountRecord> & { readonly provider: string; readonly id?: string }

/** The accounts of a home. */
export interface Accounts {
  /** Every account, as last read; config first, then stored, then the environment's. Never waits. */
  list(): readonly Account[]
  /** @throws GwError `account.not_found` */
  get(id: string): Account
  /** Reads the store again: another process may have changed it. */
  reload(): Promise<void>
  /**
   * Stores an account; a secret given with it goes into the encrypted store.
   *
   * @throws GwError `request.conflict` when the id is taken, `provider.not_found`, `request.invalid`
   */
  add(input: NewAccount, secret?: Secret): Promise<Account>
  /** Changes fields of a stored account. @throws GwError `request.conflict` for one declared elsewhere */
  update(id: string, patch: Partial<AccountRecord>, secret?: Secret): Promise<Account>
  /** Forgets a stored account and its stored secret. */
  remove(id: string): Promise<void>
  setEnabled(id: string, enabled: boolean): Promise<Account>
  /**
   * A credential that is good now, refreshed first where need be. One that turns out to be a plan token makes its
   * account a plan in {@link list}, unless its owner says otherwise.
   *
   * @throws GwError whose cause `isLocalCause` tells apart: a local one is skipped for this request and says nothing
   * about the account; `credential.login_required` means that a person must log in again
   */
  credentialFor(account: Account, options?: ReadOptions): Promise<Credential>
  /** Accounts of one provider that are one identity, so that none is counted as the other's spare. */
  sameIdentity(account: Account): readonly Account[]
  /** The identity last seen for an account, or `null` while its credential was never read. */
  identityOf(id: string): string | null
}

/** What {@link openAccounts} needs. */
export interface AccountsOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly logger: Logger
  readonly secrets: SecretStore
  readonly sources: Sources
  readonly env: Readonly<Record<string, string | undefined>>
  /** The providers of the catalog, overlays included. */
  readonly providers: () => readonly Provider[]
  /** `accounts` of the config; called again after a reload of it. */
  readonly declared: () => Readonly<Record<string, AccountRecord>>
  /** Whether the environment's own keys become accounts; default yes. */
  readonly discover?: boolean
}

/** How old the picture of the store may be before it is read again in the background. */
const pictureMs = 250
const secretPrefix = 'account/'
/** What a stored record must be; a home that keeps its accounts in the config file never needs it. */
const accountSchema = async () => (await import('./config.ts')).accountSchema

/** Tells two pictures apart, a changed secret included, and keeps none of it. */
function fingerprint(accounts: readonly Account[]): string {
  const text = JSON.stringify(accounts, function (this: Record<string, unknown>, key, value: unknown) {
    const raw = this[key]
    return raw instanceof Secret ? raw.reveal() : value
  })
  return createHash('sha256').update(text).digest('base64url')
}

/** Reads the accounts of a home and keeps the picture up to date. */
export async function openAccounts(options: AccountsOptions): Promise<Accounts> {
  const { storage, clock, logger, secrets, sources, env } = options
  let picture: readonly Account[] = []
  let byId = new Map<string, Account>()
  let printed = ''
  let readAt = -Infinity
  let reading: Promise<void> | null = null
  const identities = new Map<string, string>()
  /** Accounts whose secret, once read, was a plan token. */
  const plansByToken = new Set<string>()
  /** Accounts of which their owner says whether they are plans. */
  let stated = new Map<string, boolean | undefined>()

  const providerOf = ({ provider }: Account): Provider | undefined =>
    options.providers().find(({ id, aliases }) => id === provider || aliases.includes(provider))

  /** The account with what its provider and its secret tell about being a plan. */
  function withPlan(account: Account): Account {
    const { source } = account
    const provider = providerOf(account)
    const known = source.type === 'literal'
      ? source.value.reveal()
      : source.type === 'env'
      ? env[source.variable]
      : null
    const byToken = plansByToken.has(account.id) || (known != null && isPlanToken(provider, known.trim()))
    const plan = isPlan(account, provider, stated.get(account.id)) ||
      (byToken && stated.get(account.id) === undefined)
    return plan === account.plan ? account : { ...account, plan }
  }

  async function read(): Promise<void> {
    const rows = await storage.db.selectFrom('accounts').selectAll().orderBy('created_ms').orderBy('id').execute()
    const schema = rows.length > 0 ? await accountSchema() : null
    const says = new Map<string, boolean | undefined>()
    const stored = rows.flatMap((row) => {
      const parsed = schema!.safeParse(parse(row.record))
      if (parsed.success) {
        says.set(row.id, parsed.data.plan)
        return [accountFrom(row.id, parsed.data, 'store')]
      }
      logger.log('error', 'accounts.unreadable', { account: row.id, issue: parsed.error.issues[0]?.message })
      return []
    })
    const declared = Object.entries(options.declared()).map(([id, record]) => {
      says.set(id, record.plan)
      return accountFrom(id, record, 'config')
    })
    stated = says
    const known = new Map<string, Account>()
    for (const account of [...declared, ...stored]) {
      if (!known.has(account.id)) known.set(account.id, account)
    }
    for (const account of options.discover === false ? [] : discoverAccounts(options.providers(), env)) {
      if (!usesVariable(known.values(), account)) known.set(freeId(known, account.id), account)
    }
    byId = new Map(
      [...known].map(([id, account]) => [
        id,
        withPlan(account.id === id ? account : { ...account, id: id as Account['id'] }),
      ]),
    )
    const next = [...byId.values()]
    const print = fingerprint(next)
    readAt = clock.monotonic()
    // Plans are remembered for as long as the list is the same one.
    if (print === printed) return
    printed = print
    picture = next
  }

  function reload(): Promise<void> {
    reading ??= read().finally(() => reading = null)
    return reading
  }

  function get(id: string): Account {
    const account = byId.get(id)
    if (account) return account
    throw new GwError('account.not_found', `no account ${id}`, { hint: 'gw accounts list' })
  }

  function stored(id: string): Account {
    const account = get(id)
    if (account.origin === 'store') return account
    const where = account.origin === 'config' ? 'the config file' : 'the environment'
    throw new GwError('request.conflict', `account ${id} is declared in ${where}`, { hint: `change it there` })
  }

  async function check(id: string, input: unknown): Promise<AccountRecord> {
    const parsed = (await accountSchema()).safeParse(input)
    if (!parsed.success) {
      const [issue] = parsed.error.issues
      throw new GwError('request.invalid', `account ${id}: ${issue!.path.join('.')}: ${issue!.message}`, {
        param: issue!.path.join('.'),
      })
    }
    if (!options.providers().some((provider) => provider.id === parsed.data.provider)) {
      throw new GwError('provider.not_found', `no provider ${parsed.data.provider}`, { hint: 'gw providers list' })
    }
    return parsed.data
  }

  async function save(id: string, record: AccountRecord, isNew: boolean): Promise<Account> {
    const now = clock.now()
    await storage.write(async (tx) => {
      const row = { provider: record.provider, record: JSON.stringify(record), updated_ms: now }
      if (!isNew) {
        await tx.updateTable('accounts').set(row).where('id', '=', id).execute()
        return
      }
      const result = await tx.insertInto('accounts').values({ id, created_ms: now, ...row })
        .onConflict((at) => at.column('id').doNothing()).executeTakeFirst()
      if (result.numInsertedOrUpdatedRows === 0n) throw new GwError('request.conflict', `account ${id} exists already`)
    })
    await read()
    return get(id)
  }

  async function recordOf(id: string): Promise<AccountRecord> {
    const row = await storage.db.selectFrom('accounts').select('record').where('id', '=', id).executeTakeFirstOrThrow()
    return (await accountSchema()).parse(parse(row.record))
  }

  async function update(id: string, patch: Partial<AccountRecord>, secret?: Secret): Promise<Account> {
    const account = stored(id)
    const before = await recordOf(id)
    // A new place for the secret takes the old one's.
    const moves = secret !== undefined || sourceKeys.some((key) => patch[key] !== undefined)
    const emptied = moves ? Object.fromEntries(sourceKeys.map((key) => [key, undefined])) : {}
    const { token, ...rest } = { ...before, ...emptied, ...patch }
    const literal = secret ?? (token === undefined ? undefined : new Secret(token))
    const record = await check(id, { ...rest, ...(literal ? { token_store: secretPrefix + id } : {}) })
    if (literal) await secrets.put(secretPrefix + id, literal)
    sources.forget(account.source)
    identities.delete(id)
    plansByToken.delete(id)
    return await save(id, record, false)
  }

  await read()

  return {
    list() {
      if (clock.monotonic() - readAt > pictureMs) {
        // A busy or failing database leaves the last good picture in place.
        reload().catch((error) => logger.log('warn', 'accounts.stale', { error }))
        readAt = clock.monotonic()
      }
      return picture
    },
    get,
    reload,
    async add({ id: wanted, ...input }, secret) {
      // A key of the environment that is written down keeps the name it had; a second key does not hide the first.
      const found = byId.get(input.provider)
      const same = found?.origin === 'environment' && found.source.type === 'env' &&
        found.source.variable === input.token_env
      const id = wanted ?? (same ? input.provider : freeId(byId, input.provider))
      if (!accountIdPattern.test(id)) {
        throw new GwError('request.invalid', `"${id}" is no name for an account`, { param: 'id' })
      }
      if (byId.get(id) && byId.get(id)!.origin !== 'environment') {
        throw new GwError('request.conflict', `account ${id} exists already`, { hint: 'gw accounts list' })
      }
      // A secret never lands in the record: what was given in clear moves to the encrypted store.
      const { token, ...rest } = input
      const literal = secret ?? (token && !/^\$\{\w+\}$/.test(token) ? new Secret(token) : undefined)
      const kept = literal ? { token_store: secretPrefix + id } : token ? { token } : {}
      const record = await check(id, { ...rest, ...kept })
      if (literal) await secrets.put(secretPrefix + id, literal)
      return await save(id, record, true)
    },
    update,
    setEnabled: (id, enabled) => update(id, { enabled }),
    async remove(id) {
      const account = stored(id)
      await storage.write((tx) => tx.deleteFrom('accounts').where('id', '=', id).execute())
      const ref = storedRef(account.source)
      if (ref?.startsWith(secretPrefix)) await secrets.delete(ref)
      sources.forget(account.source)
      identities.delete(id)
      plansByToken.delete(id)
      await read()
    },
    async credentialFor(account, readOptions = {}) {
      const reading = needsNothing(account, options.providers(), env)
        ? nothingNeeded
        : await sources.read(account.source, readOptions)
      const accountId = account.accountId
        ? await sources.readAccountId(account.accountId, readOptions)
        : reading.accountId
      if (reading.identity) identities.set(account.id, reading.identity)
      const isNews = !account.plan && stated.get(account.id) === undefined && byId.get(account.id)?.plan === false &&
        isPlanToken(providerOf(account), reading.secret.reveal())
      if (isNews) {
        plansByToken.add(account.id)
        await reload()
      }
      return {
        kind: reading.kind === 'api-key' || reading.kind === 'auth-token' ? account.kind ?? reading.kind : reading.kind,
        secret: reading.secret,
        accountId,
        expiresAt: reading.expiresAt,
        audience: audienceOf(account, reading, options.providers(), env),
        identity: reading.identity,
        ...(reading.baseUrl ? { baseUrl: reading.baseUrl } : {}),
      }
    },
    sameIdentity(account) {
      const identity = identities.get(account.id)
      if (!identity) return []
      return picture.filter((other) =>
        other.id !== account.id && other.provider === account.provider && identities.get(other.id) === identity
      )
    },
    identityOf: (id) => identities.get(id) ?? null,
  }
}

const nothingNeeded: Reading = {
  secret: new Secret(''),
  kind: 'none',
  accountId: null,
  expiresAt: null,
  audience: [],
  identity: null,
  freshUntil: Infinity,
}

/** Whether a server is asked without a credential: it wants none, or it may do without the one that is not there. */
function needsNothing({ source, ...account }: Account, providers: readonly Provider[], env: AccountsOptions['env']) {
  const provider = providers.find((provider) => provider.id === account.provider)
  if (source.type === 'none') {
    return provider?.auth.type === 'none' || provider?.local === true || provider?.keyOptional === true
  }
  return source.type === 'env' && !source.otherwise && !env[source.variable] && provider?.keyOptional === true
}

/** A base URL of its owner binds the credential there and nowhere else; else the vendor's or the provider's origins. */
function audienceOf(
  account: Account,
  reading: Reading,
  providers: readonly Provider[],
  env: AccountsOptions['env'],
): readonly string[] {
  if (account.baseUrl) return originsOf([account.baseUrl])
  if (reading.audience.length > 0) return reading.audience
  const provider = providers.find((provider) => provider.id === account.provider)
  // A URL with an unset variable is no URL: `https:///v1` would parse as the host `v1`.
  const urls = provider?.deployments.map(({ baseUrl }) => {
    const missing = [...baseUrl.matchAll(/\$\{(\w+)\}/g)].some(([, name]) => !env[name!])
    return missing ? null : baseUrl.replace(/\$\{(\w+)\}/g, (_, name) => env[name]!)
  })
  return originsOf(urls ?? [])
}

function usesVariable(accounts: Iterable<Account>, found: Account): boolean {
  for (const { provider, source } of accounts) {
    if (provider !== found.provider || source.type !== found.source.type) continue
    if (source.type === 'aws') return true
    if (source.type === 'env' && found.source.type === 'env' && source.variable === found.source.variable) return true
  }
  return false
}

function freeId(taken: ReadonlyMap<string, unknown>, wanted: string): string {
  if (!taken.has(wanted)) return wanted
  for (let i = 2;; i++) if (!taken.has(`${wanted}-${i}`)) return `${wanted}-${i}`
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
