import { sql } from 'kysely'
import type { TokenId } from '../base/mod.ts'
import type { Storage } from '../storage/mod.ts'
import { everything, type Grant, noLimits } from './grant.ts'

/** What is known about an issued token. Never the token itself. */
export interface AccessToken {
  readonly id: TokenId
  readonly label: string
  /** Epoch ms. */
  readonly issuedAt: number
  /** Epoch ms; `null` never. */
  readonly expiresAt: number | null
  /** Epoch ms; `null` while it is good. */
  readonly revokedAt: number | null
  readonly parent: TokenId | null
  /** Who made it: `operator`, or the principal id of a token. */
  readonly issuer: string
  readonly grant: Grant
}

/** Which tokens to list. Newest first; `cursor` is the `next` of the page before. */
export interface TokenQuery {
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
  /** Only this token and those below it. */
  readonly within?: string | null | undefined
  /** Leaves out those that are revoked or have run out. */
  readonly usableAt?: number | undefined
}

/** One page of a list. */
export interface TokenPage {
  readonly tokens: readonly AccessToken[]
  /** `null` at the end. */
  readonly next: string | null
}

/** The rows of the token tables. */
export interface TokenStore {
  find(id: string): Promise<AccessToken | null>
  /** The token and its ancestors, the nearest first. */
  lineage(id: string): Promise<readonly AccessToken[]>
  list(query: TokenQuery): Promise<TokenPage>
  /** Whether any token was ever issued. */
  any(): Promise<boolean>
  /** Durable when it resolves; a token whose id is there already is left alone. Returns how many are new. */
  insert(tokens: readonly AccessToken[]): Promise<number>
  /** Inserts the very first token of a home, once in its life; `false` when there is or was one. */
  insertFirst(token: AccessToken): Promise<boolean>
  /** Marks a token and all below it. Returns the ids that were good until now. */
  revoke(id: string, at: number): Promise<readonly string[]>
  /** The newest change's sequence number. */
  position(): Promise<number>
  /** Ids changed after a sequence number, and the newest number. */
  changesSince(seq: number): Promise<{ readonly ids: readonly string[]; readonly seq: number }>
  /** Forgets tokens that ran out before `at`, and old change rows. */
  prune(expiredBefore: number): Promise<number>
}

const longestLineage = 32
const changesKept = 10_000

/** A {@link TokenStore} over the database of a home. */
export function tokenStore(storage: Storage): TokenStore {
  const { db } = storage

  async function find(id: string): Promise<AccessToken | null> {
    const row = await db.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst()
    return row ? fromRow(row) : null
  }

  return {
    find,
    async lineage(id) {
      const out: AccessToken[] = []
      for (let next: string | null = id; next !== null && out.length < longestLineage;) {
        const token: AccessToken | null = await find(next)
        if (!token) break
        out.push(token)
        next = token.parent
      }
      return out
    },
    async list({ limit = 100, cursor, within, usableAt }) {
      const size = Math.min(Math.max(1, limit), 1_000)
      let query = db.selectFrom('tokens').selectAll().orderBy('issued_ms', 'desc').orderBy('id', 'desc').limit(size + 1)
      const from = cursor === undefined ? null : /^(\d{1,15})\.([\w-]{1,64})$/.exec(cursor)
      if (from) {
        query = query.where((at) => at(at.refTuple('issued_ms', 'id'), '<', at.tuple(Number(from[1]), from[2]!)))
      }
      if (usableAt !== undefined) {
        query = query.where('revoked_ms', 'is', null)
          .where((at) => at.or([at('expires_ms', 'is', null), at('expires_ms', '>', usableAt)]))
      }
      if (within != null) {
        query = query.where(
          'id',
          'in',
          sql<string>`(
          with recursive family(id) as (
            select ${within} union select tokens.id from tokens join family on tokens.parent = family.id
          ) select id from family
        )`,
        )
      }
      const rows = await query.execute()
      const last = rows.length > size ? rows[size - 1]! : null
      return {
        tokens: rows.slice(0, size).map(fromRow),
        next: last ? `${last.issued_ms}.${last.id}` : null,
      }
    },
    async any() {
      return (await db.selectFrom('tokens').select('id').limit(1).execute()).length > 0
    },
    async insert(tokens) {
      return await storage.write(async (tx) => {
        let added = 0
        for (const token of tokens) {
          const result = await tx.insertInto('tokens').values(toRow(token)).onConflict((at) => at.doNothing())
            .executeTakeFirst()
          added += Number(result.numInsertedOrUpdatedRows ?? 0)
        }
        return added
      })
    },
    async insertFirst(token) {
      return await storage.write(async (tx) => {
        if (await tx.selectFrom('tokens').select('id').limit(1).executeTakeFirst()) return false
        const mark = await tx.insertInto('facts').onConflict((at) => at.doNothing())
          .values({ key: 'access.owner', value: JSON.stringify(token.id), updated_ms: token.issuedAt })
          .executeTakeFirst()
        if (Number(mark.numInsertedOrUpdatedRows ?? 0) === 0) return false
        await tx.insertInto('tokens').values(toRow(token)).execute()
        return true
      })
    },
    async revoke(id, at) {
      return await storage.write(async (tx) => {
        const ended = await tx.withRecursive(
          'family',
          (family) =>
            family.selectFrom('tokens').select('tokens.id').where('tokens.id', '=', id).union(
              family.selectFrom('tokens').innerJoin('family', 'family.id', 'tokens.parent').select('tokens.id'),
            ),
        )
          .selectFrom('tokens').innerJoin('family', 'family.id', 'tokens.id').select('tokens.id')
          .where('tokens.revoked_ms', 'is', null).execute()
        for (const token of ended) {
          await tx.updateTable('tokens').set({ revoked_ms: at }).where('id', '=', token.id).execute()
          await tx.insertInto('token_changes').values({ token: token.id, at_ms: at }).execute()
        }
        return ended.map((token) => token.id)
      })
    },
    async position() {
      const newest = await db.selectFrom('token_changes').select((at) => at.fn.max('seq').as('seq')).executeTakeFirst()
      return newest?.seq ?? 0
    },
    async changesSince(seq) {
      const rows = await db.selectFrom('token_changes').select(['seq', 'token']).where('seq', '>', seq).orderBy('seq')
        .execute()
      return { ids: rows.map((row) => row.token), seq: rows.at(-1)?.seq ?? seq }
    },
    async prune(expiredBefore) {
      return await storage.write(async (tx) => {
        const gone = await tx.deleteFrom('tokens').where('expires_ms', '<', expiredBefore).executeTakeFirst()
        const newest = await tx.selectFrom('token_changes').select((at) => at.fn.max('seq').as('seq'))
          .executeTakeFirst()
        await tx.deleteFrom('token_changes').where('seq', '<', (newest?.seq ?? 0) - changesKept).execute()
        return Number(gone.numDeletedRows)
      })
    },
  }
}

interface TokenRow {
  readonly id: string
  readonly label: string
  readonly issued_ms: number
  readonly expires_ms: number | null
  readonly revoked_ms: number | null
  readonly parent: string | null
  readonly issuer: string
  readonly grant_json: string
}

function fromRow(row: TokenRow): AccessToken {
  const grant = JSON.parse(row.grant_json) as Partial<Grant>
  return {
    id: row.id as TokenId,
    label: row.label,
    issuedAt: row.issued_ms,
    expiresAt: row.expires_ms,
    revokedAt: row.revoked_ms,
    parent: row.parent as TokenId | null,
    issuer: row.issuer,
    // A grant written by an older gw may lack a field; a missing list of scopes grants nothing.
    grant: { ...everything, scopes: [], depth: 0, ...grant, limits: { ...noLimits, ...grant.limits } },
  }
}

function toRow(token: AccessToken): TokenRow {
  return {
    id: token.id,
    label: token.label,
    issued_ms: token.issuedAt,
    expires_ms: token.expiresAt,
    revoked_ms: token.revokedAt,
    parent: token.parent,
    issuer: token.issuer,
    grant_json: JSON.stringify(token.grant),
  }
}
