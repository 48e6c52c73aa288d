import { type Clock, GwError, Secret, type TokenId } from '../base/mod.ts'
import { everything, type Grant, type GrantRequest, narrow } from './grant.ts'
import { adoptToken } from './mirror.ts'
import { parsePeriod } from './period.ts'
import type { SigningKeys } from './keys.ts'
import { operator, type Principal, requireScope } from './principal.ts'
import type { RouterToken } from './router-files.ts'
import type { AccessToken, TokenPage, TokenQuery, TokenStore } from './store.ts'
import { signToken } from './token.ts'
import { isToolRule } from './tool-rules.ts'

/** What is asked for a new token. */
export interface IssueRequest extends GrantRequest {
  readonly label?: string | undefined
  /** Life in milliseconds; `null` is for ever; absent is the configured default, or the maker's own end if sooner. */
  readonly ttlMs?: number | null | undefined
}

/** A new token. This is the only time its text is seen. */
export interface IssuedToken {
  readonly token: Secret
  readonly info: AccessToken
}

/** What an import did. */
export interface ImportedTokens {
  readonly added: number
  readonly revoked: number
  /** Were here already, and stayed as they are. */
  readonly known: number
}

/** Makes tokens, shows them and ends them. */
export interface Issuer {
  /**
   * Makes a token that may do no more than its maker. A token's own tokens are its children: they end with it.
   *
   * @throws GwError `access.scope` without the scope `tokens`, `access.denied` when more is asked than the maker holds,
   * `request.invalid`, `storage.busy` or `storage.failed` when it cannot be recorded: then no token exists
   */
  issue(request: IssueRequest, by: Principal): Promise<IssuedToken>
  /** What `by` may see: everything for an admin, itself and what is below it for others. */
  list(query: TokenQuery, by: Principal): Promise<TokenPage>
  /** @throws GwError `request.not_found`, also for a token of somebody else */
  show(id: string, by: Principal): Promise<AccessToken>
  /**
   * Ends a token and all below it, for good; resolves when that is on disk. Asking again, or for an id that is not
   * there, is fine.
   */
  revoke(id: string, by: Principal): Promise<{ readonly revoked: string; readonly ended: readonly string[] }>
  /**
   * Takes over tokens of a router's store. They go on working here when they were signed with the `TOKEN_SECRET` that is
   * configured. A token that is known stays as it is, but a revocation always counts.
   *
   * @throws GwError `access.scope` for anybody but an admin
   */
  importTokens(tokens: readonly RouterToken[], by: Principal): Promise<ImportedTokens>
  /** The first token of a home, once: everything, for ever. `null` when there has been one, or any other token. */
  createOwnerToken(): Promise<IssuedToken | null>
}

/** What an {@link Issuer} stands on. */
export interface IssuerParts {
  readonly store: TokenStore
  readonly keys: SigningKeys
  readonly clock: Clock
  readonly defaultTtlMs: () => number
  /** What a principal of the config holds. */
  readonly staticGrant: (principal: Principal) => Grant | null
  readonly onIssued: (token: AccessToken) => void
  readonly onRevoked: (ids: readonly string[]) => void
  readonly onImported: () => void
}

const longestLabel = 200
const largestMetadata = 16_384
const longestList = 1_000

/** An {@link Issuer}. */
export function issuer(parts: IssuerParts): Issuer {
  const { store, keys, clock } = parts

  /** What the maker holds and until when. */
  async function held(by: Principal): Promise<{ grant: Grant; parent: AccessToken | null }> {
    if (by.token === null) {
      const grant = by.kind === 'client' ? parts.staticGrant(by) : everything
      if (!grant) throw new GwError('access.revoked', 'Token has been revoked')
      return { grant, parent: null }
    }
    const parent = await store.find(by.token)
    if (!parent || parent.revokedAt !== null) throw new GwError('access.revoked', 'Token has been revoked')
    return { grant: parent.grant, parent }
  }

  async function make(request: IssueRequest, by: Principal, id: TokenId): Promise<IssuedToken> {
    const { grant: maker, parent } = await held(by)
    check(request)
    const now = clock.now()
    const grant = narrow(maker, request)
    const end = by.expiresAt
    const asked = request.ttlMs
    const wanted = asked === null ? null : now + (asked ?? parts.defaultTtlMs())
    if (asked !== undefined && end !== null && (wanted === null || wanted > end)) {
      throw new GwError('access.denied', 'a token never grants more than its maker holds: it would outlive its maker', {
        param: 'ttl_hours',
        hint: 'ask for an earlier end',
      })
    }
    // The claim counts seconds, and the record must not say more than the claim.
    const until = wanted === null ? end : Math.min(wanted, end ?? Infinity)
    const expiresAt = until === null ? null : Math.floor(until / 1000) * 1000
    const info: AccessToken = {
      id,
      label: request.label ?? '',
      issuedAt: now,
      expiresAt,
      revokedAt: null,
      parent: parent?.id ?? null,
      issuer: by.id,
      grant,
    }
    return { token: new Secret(await signToken(info, await keys.current())), info }
  }

  /** Whether `by` may see and end a token. */
  async function owns(by: Principal, id: string): Promise<boolean> {
    if (by.scopes.has('admin')) return true
    if (by.token === null) return false
    return (await store.lineage(id)).some((one) => one.id === by.token)
  }

  return {
    async issue(request, by) {
      requireScope(by, 'tokens')
      const made = await make(request, by, crypto.randomUUID() as string as TokenId)
      await store.insert([made.info])
      parts.onIssued(made.info)
      return made
    },
    async list(query, by) {
      if (by.scopes.has('admin')) return await store.list(query)
      if (by.token === null) return { tokens: [], next: null }
      return await store.list({ ...query, within: by.token })
    },
    async show(id, by) {
      const token = await owns(by, id) ? await store.find(id) : null
      if (!token) {
        throw new GwError('request.not_found', `token ${id.slice(0, 64)} not found`, {
          hint: 'gw tokens list shows what there is',
        })
      }
      return token
    },
    async revoke(id, by) {
      if (!by.scopes.has('admin') && !by.scopes.has('tokens')) requireScope(by, 'tokens')
      const ended = await owns(by, id) ? await store.revoke(id, clock.now()) : []
      if (ended.length > 0) parts.onRevoked(ended)
      return { revoked: id, ended }
    },
    async importTokens(tokens, by) {
      requireScope(by, 'admin')
      const now = clock.now()
      const added = await store.insert(tokens.map((token) => adoptToken(token, now)))
      let revoked = 0
      for (const token of tokens) {
        if (!token.revoked) continue
        const ended = await store.revoke(token.id, now)
        revoked += ended.length
        if (ended.length > 0) parts.onRevoked(ended)
      }
      if (added > 0) parts.onImported()
      return { added, revoked, known: tokens.length - added }
    },
    async createOwnerToken() {
      const request: IssueRequest = { label: 'owner', scopes: ['admin'], ttlMs: null }
      const made = await make(request, operator, crypto.randomUUID() as string as TokenId)
      if (!await store.insertFirst(made.info)) return null
      parts.onIssued(made.info)
      return made
    },
  }
}

function check(
  { label = '', ttlMs, metadata, models, providers, aliases, account, limits, tools }: IssueRequest,
): void {
  if (limits?.budgetPeriod != null) parsePeriod(limits.budgetPeriod)
  for (const [name, value] of Object.entries(limits ?? {})) {
    if (typeof value === 'number' && !(Number.isSafeInteger(value) && value >= 0)) {
      throw new GwError('request.invalid', `limits.${name} is not a whole number of zero or more`, { param: name })
    }
  }
  const refuse = (param: string, why: string): never => {
    throw new GwError('request.invalid', `${param} ${why}`, { param })
  }
  if (label.length > longestLabel) refuse('label', `has more than ${longestLabel} characters`)
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(label)) refuse('label', 'has control characters')
  if (ttlMs != null && !(Number.isFinite(ttlMs) && ttlMs >= 0)) refuse('ttl_hours', 'is not a length of time')
  if (metadata && JSON.stringify(metadata).length > largestMetadata) {
    refuse('metadata', `is larger than ${largestMetadata} characters`)
  }
  for (
    const [param, list] of Object.entries({ models, providers, aliases: aliases && Object.entries(aliases).flat() })
  ) {
    if (!list) continue
    if (list.length > longestList) refuse(param, `has more than ${longestList} entries`)
    if (list.some((text) => text === '' || text.length > 256)) refuse(param, 'has an empty or overlong entry')
  }
  if (tools && Object.values(tools).some((list) => list.length > 200 || !list.every(isToolRule))) {
    refuse('tools', 'has a rule that is not like mcp__server, mcp__server__* or mcp__server__tool')
  }
  if (account != null && (account === '' || account.length > 128)) refuse('account', 'is empty or overlong')
}
