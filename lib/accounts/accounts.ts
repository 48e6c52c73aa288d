import { type Clock, GwError, inTurn, type Logger, nearest, Secret } from '../base/mod.ts'
import type { Provider } from '../catalog/mod.ts'
import type { Credential, ReadOptions, Sources } from '../credentials/mod.ts'
import type { SecretStore } from '../secrets/mod.ts'
import type { Storage, Writing } from '../storage/mod.ts'
import { type Account, accountIdPattern, sourceKeys, storedRef } from './account.ts'
import type { AccountRecord } from './config.ts'
import { accountSchema, readRecords, recordJson } from './records.ts'
import { accountsPicture, freeId, type Picture, providerOf } from './picture.ts'
import { isPlanToken } from './plan.ts'
import { audienceOf, needsNothing, nothingNeeded } from './proof.ts'

/** What a stored account may be made of: a written record, and maybe the secret itself. */
export type NewAccount = Partial<AccountRecord> & { readonly provider: string; readonly id?: string }

/** A change of one account: made or changed, or forgotten. */
export type AccountChange =
  | { readonly id: string; readonly put: Partial<AccountRecord>; readonly secret?: Secret | undefined }
  | { readonly id: string; readonly put: null }

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
   * Makes several changes in a transaction of the caller's, who then asks for a {@link reload}. An account that is not
   * stored yet is added.
   *
   * @param providers further ids that count as providers: those that the caller is about to declare
   * @throws GwError as {@link add}, {@link update} and {@link remove} do
   */
  change(tx: Writing, changes: readonly AccountChange[], providers?: readonly string[]): Promise<void>
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
  /**
   * Reads, from now on and with every change, the credentials of accounts that may be one another's spare, where that
   * costs nothing: who is the same as whom is then known before the first of them is used.
   */
  learnIdentities(): Promise<void>
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
  /** Told of accounts that have another credential than before, whichever process of the home gave it. */
  readonly replaced?: (accounts: readonly Account[]) => void
  /** Told of an account that is gone. */
  readonly removed?: (account: Account) => void
}

const secretPrefix = 'account/'

/** Where a credential is, and when the store wrote it last, where the store has it. */
interface RestsOn {
  readonly source: Account['source']
  readonly writtenMs: number | null
}

/** Whether two values are the same plain data, the same secrets included. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Secret && b instanceof Secret) return a.reveal() === b.reveal()
  const [names, others] = [Object.keys(a), Object.keys(b)]
  return names.length === others.length &&
    names.every((name) => isSame((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name]))
}

/** Reads the accounts of a home and keeps the picture up to date. */
export async function openAccounts(options: AccountsOptions): Promise<Accounts> {
  const { storage, clock, logger, secrets, sources, env } = options
  let picture: readonly Account[] = []
  let byId: ReadonlyMap<string, Account> = new Map()
  let madeFrom: readonly unknown[] = []
  let learning = false
  const identities = new Map<string, string>()
  /** Accounts whose secret, once read, was a plan token. */
  const plansByToken = new Set<string>()
  /** What the credential of each account is made of. */
  const restsOn = new Map<string, RestsOn>()
  /** Accounts with another credential, of which nobody was told yet. */
  const untold: Account[] = []
  /** Accounts of which their owner says whether they are plans. */
  let stated: ReadonlyMap<string, boolean | undefined> = new Map()

  async function read(): Promise<void> {
    const rows = await storage.db.selectFrom('accounts').select(['id', 'record']).orderBy('created_ms').orderBy('id')
      .execute()
    const secrets = await storage.db.selectFrom('secrets').select(['ref', 'updated_ms']).orderBy('ref').execute()
    const declared = options.declared()
    const providers = options.providers()
    const from = [
      declared,
      providers,
      [...plansByToken].join(' '),
      ...rows.flatMap(({ id, record }) => [id, record]),
      ...secrets.flatMap(({ ref, updated_ms }) => [ref, updated_ms]),
    ]
    if (from.length === madeFrom.length && from.every((part, at) => part === madeFrom[at])) return
    const stored = await readRecords(rows, logger)
    const make = () => accountsPicture({ declared, stored, providers, env, plansByToken })
    madeFrom = from
    let found = make()
    const written = new Map(secrets.map(({ ref, updated_ms }) => [ref, updated_ms]))
    const replaced = found.accounts.filter((account) => replacedSince(account, written))
    untold.push(...replaced)
    if (replaced.map(forget).includes(true)) found = make()
    // Another key may be another identity, though every record reads as before.
    takeUp(found, replaced.length > 0)
  }

  function takeUp({ accounts, stated: said }: Picture, isNews: boolean): void {
    const before = byId
    byId = new Map(accounts.map((account) => [account.id, account]))
    stated = said
    for (const [id, account] of before) if (!byId.has(id)) gone(account)
    // Plans are remembered for as long as the list is the same one.
    if (!isNews && isSame(picture, accounts)) return
    picture = accounts
    if (learning) void learn()
  }

  /** Forgets what was learnt from a credential; whether that had shown the account to be a plan. */
  function forget({ id, source }: Account): boolean {
    sources.forget(source)
    identities.delete(id)
    return plansByToken.delete(id)
  }

  function gone(account: Account): void {
    forget(account)
    restsOn.delete(account.id)
    options.removed?.(account)
  }

  /** Whether the credential of an account is another one than when this was last asked. */
  function replacedSince({ id, source }: Account, written: ReadonlyMap<string, number>): boolean {
    const ref = storedRef(source)
    const now = { source, writtenMs: ref === null ? null : written.get(ref) ?? null }
    const before = restsOn.get(id)
    restsOn.set(id, now)
    return before !== undefined && !isSame(before, now)
  }

  async function learn(): Promise<void> {
    for (const account of picture) {
      if (identities.has(account.id) || !cheapSources.has(account.source.type)) continue
      if (!picture.some((other) => other !== account && other.provider === account.provider)) continue
      try {
        await credentialFor(account)
      } catch (error) {
        // Whoever asks for it is told; nobody has asked yet.
        logger.log('debug', 'accounts.unread', { account: account.id, error })
      }
    }
  }

  const readInTurn = inTurn(read)

  async function reload(): Promise<void> {
    await readInTurn()
    if (untold.length > 0) options.replaced?.(untold.splice(0))
  }

  function get(id: string): Account {
    const account = byId.get(id)
    if (account) return account
    throw missing(id)
  }

  function stored(id: string): Account {
    const account = get(id)
    if (account.origin === 'store') return account
    const where = account.origin === 'config' ? 'the config file' : 'the environment'
    throw new GwError('request.conflict', `account ${id} is declared in ${where}`, { hint: `change it there` })
  }

  async function check(id: string, input: unknown, more: readonly string[] = []): Promise<AccountRecord> {
    const parsed = (await accountSchema()).safeParse(input)
    if (!parsed.success) {
      const [issue] = parsed.error.issues
      throw new GwError('request.invalid', `account ${id}: ${issue!.path.join('.')}: ${issue!.message}`, {
        param: issue!.path.join('.'),
      })
    }
    const { provider } = parsed.data
    const known = options.providers().map(({ id }) => id)
    if (!more.includes(provider) && !known.includes(provider)) {
      const [meant] = nearest(provider, known, 1)
      throw new GwError('provider.not_found', `no provider ${provider}`, {
        hint: meant === undefined ? 'gw providers list' : `did you mean ${meant}? gw providers list shows all`,
      })
    }
    return parsed.data
  }

  /** Stores the secret that a record names in clear: a secret never lands in the record. */
  async function keep(
    tx: Writing,
    id: string,
    { token, ...record }: Partial<AccountRecord>,
    secret: Secret | undefined,
  ): Promise<Partial<AccountRecord>> {
    const literal = secret ?? (token && !/^\$\{\w+\}$/.test(token) ? new Secret(token) : undefined)
    if (!literal) return token === undefined ? record : { ...record, token }
    await secrets.put(secretPrefix + id, literal, tx)
    return { ...record, token_store: secretPrefix + id }
  }

  async function insert(tx: Writing, id: string, input: NewAccount, secret?: Secret, more?: readonly string[]) {
    if (!accountIdPattern.test(id)) {
      throw new GwError('request.invalid', `"${id}" is no name for an account`, { param: 'id' })
    }
    const now = clock.now()
    const taken = new GwError('request.conflict', `account ${id} exists already`, { hint: 'gw accounts list' })
    if (byId.get(id)?.origin === 'config') throw taken
    const record = await check(id, await keep(tx, id, input, secret), more)
    const row = { id, provider: record.provider, record: JSON.stringify(record), created_ms: now, updated_ms: now }
    const result = await tx.insertInto('accounts').values(row).onConflict((at) => at.column('id').doNothing())
      .executeTakeFirst()
    if (result.numInsertedOrUpdatedRows === 0n) throw taken
  }

  async function patch(tx: Writing, account: Account, patch: Partial<AccountRecord>, secret?: Secret) {
    const { id } = account
    const row = await tx.selectFrom('accounts').select('record').where('id', '=', id).executeTakeFirst()
    if (!row) throw missing(id)
    const before = (await accountSchema()).parse(recordJson(row.record))
    // A new place for the secret takes the old one's.
    const moves = secret !== undefined || sourceKeys.some((key) => patch[key] !== undefined)
    const emptied = moves ? Object.fromEntries(sourceKeys.map((key) => [key, undefined])) : {}
    const record = await check(id, await keep(tx, id, { ...before, ...emptied, ...patch }, secret))
    await tx.updateTable('accounts').where('id', '=', id).set({
      provider: record.provider,
      record: JSON.stringify(record),
      updated_ms: clock.now(),
    }).execute()
  }

  async function drop(tx: Writing, account: Account) {
    await tx.deleteFrom('accounts').where('id', '=', account.id).execute()
    const ref = storedRef(account.source)
    if (ref?.startsWith(secretPrefix)) await secrets.delete(ref, tx)
  }

  async function written<T>(id: string, work: (tx: Writing) => Promise<T>): Promise<Account> {
    await storage.write(work)
    await reload()
    return get(id)
  }

  async function credentialFor(account: Account, readOptions: ReadOptions = {}): Promise<Credential> {
    const reading = needsNothing(account, options.providers(), env)
      ? nothingNeeded
      : await sources.read(account.source, readOptions)
    const accountId = account.accountId
      ? await sources.readAccountId(account.accountId, readOptions)
      : reading.accountId
    if (reading.identity) identities.set(account.id, reading.identity)
    const isNews = !account.plan && stated.get(account.id) === undefined && byId.get(account.id)?.plan === false &&
      isPlanToken(providerOf(options.providers(), account), reading.secret.reveal())
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
  }

  await reload()

  return {
    list: () => picture,
    get,
    reload,
    async add({ id: wanted, ...input }, secret) {
      // A key of the environment that is written down keeps the name it had; a second key does not hide the first.
      const found = byId.get(input.provider)
      const same = found?.origin === 'environment' && found.source.type === 'env' &&
        found.source.variable === input.token_env
      const id = wanted ?? (same ? input.provider : freeId(byId, input.provider))
      return await written(id, (tx) => insert(tx, id, input, secret))
    },
    update: (id, fields, secret) => written(id, (tx) => patch(tx, stored(id), fields, secret)),
    setEnabled: (id, enabled) => written(id, (tx) => patch(tx, stored(id), { enabled })),
    async remove(id) {
      const account = stored(id)
      await storage.write((tx) => drop(tx, account))
      await reload()
    },
    async change(tx, changes, providers) {
      for (const change of changes) {
        const { id } = change
        const there = byId.get(id)
        if (change.put === null) await drop(tx, stored(id))
        else if (there && there.origin !== 'environment') await patch(tx, stored(id), change.put, change.secret)
        else if (change.put.provider === undefined) throw missing(id)
        else await insert(tx, id, { ...change.put, provider: change.put.provider }, change.secret, providers)
      }
    },
    credentialFor,
    sameIdentity(account) {
      const identity = identities.get(account.id)
      if (!identity) return []
      return picture.filter((other) =>
        other.id !== account.id && other.provider === account.provider && identities.get(other.id) === identity
      )
    },
    identityOf: (id) => identities.get(id) ?? null,
    learnIdentities() {
      learning = true
      return learn()
    },
  }
}

const missing = (id: string) => new GwError('account.not_found', `no account ${id}`, { hint: 'gw accounts list' })

/** Sources that are read in this process, with no program, no network and nobody asked. */
const cheapSources: ReadonlySet<Account['source']['type']> = new Set(['env', 'literal', 'file', 'store'])
