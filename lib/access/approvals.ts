import { hash, timingSafeEqual } from 'node:crypto'
import { Buffer } from 'node:buffer'
import { canonicalJson, type Clock, GwError, type Json, newId, type PrincipalId, Secret } from '../base/mod.ts'
import type { Storage } from '../storage/mod.ts'
import { operator, type Principal } from './principal.ts'

/** The one exact call that an approval is about. */
export interface ApprovalCall {
  readonly principal: PrincipalId
  /** `mcp__server__tool`, or `operation:repair.run`. */
  readonly subject: string
  readonly arguments: Json
  /** Changes whenever a rule or a tool's description does: what was approved under another policy is void. */
  readonly policy: string
}

/** Something a person has been asked. */
export interface Approval {
  /** `apr_…` */
  readonly id: string
  readonly principal: PrincipalId
  readonly subject: string
  /** The arguments as text, bounded, for the person who decides. */
  readonly preview: string
  readonly state: 'pending' | 'approved' | 'denied' | 'used' | 'expired'
  readonly createdAt: number
  readonly expiresAt: number
}

/** Approvals: asked by an agent, decided by somebody else, used once. */
export interface Approvals {
  /**
   * Uses up an approval for exactly this call. When there is none, asks for one (an open question for the same call is
   * found again, not asked twice).
   */
  claim(call: ApprovalCall): Promise<{ granted: true } | { granted: false; approval: Approval }>
  /**
   * Answers a question. Whoever asked may take the question back, but not say yes to it.
   *
   * @throws GwError `access.denied` when the one who asked tries to approve, or lacks `admin`; `request.not_found`;
   * `request.conflict` when it has been answered or has expired
   */
  decide(id: string, verdict: 'approved' | 'denied', by: Principal): Promise<Approval>
  /**
   * A yes that the caller's own client says it had from a person. Only for owners who trust their clients with that.
   *
   * @throws GwError `request.not_found`, `request.conflict`
   */
  confirm(id: string, client: PrincipalId): Promise<Approval>
  /**
   * A code that lets whoever holds it see and answer this one question, until it is answered; a later code takes the
   * place of an earlier one.
   *
   * @throws GwError as {@link decide}
   */
  link(id: string, by: Principal): Promise<{ readonly code: Secret; readonly approval: Approval }>
  /**
   * Who acts with the code of a link: the one who made it, as `link:<id>`.
   *
   * @throws GwError `access.denied` when it is not the code of this question, or the question is answered
   */
  holder(id: string, code: string): Promise<Principal>
  /** @throws GwError `request.not_found` */
  find(id: string): Promise<Approval>
  /** Questions, newest first; at most 200. */
  list(options?: { readonly pendingOnly?: boolean }): Promise<Approval[]>
  /** Resolves when the question is answered or its time is over. */
  settled(id: string, signal?: AbortSignal): Promise<Approval>
}

const previewChars = 20_000
const pollMs = 500

/** {@link Approvals} kept in the database of this home, so that any process of it can answer. */
export function createApprovals(
  { storage, clock, lifeMs }: { storage: Storage; clock: Clock; lifeMs: number },
): Approvals {
  const listeners = new Map<string, () => void>()

  const view = (row: {
    id: string
    principal: string
    subject: string
    preview: string
    state: string
    created_ms: number
    expires_ms: number
  }): Approval => ({
    id: row.id,
    principal: row.principal as PrincipalId,
    subject: row.subject,
    preview: row.preview,
    state: (row.state === 'pending' || row.state === 'approved') && row.expires_ms <= clock.now()
      ? 'expired'
      : row.state as Approval['state'],
    createdAt: row.created_ms,
    expiresAt: row.expires_ms,
  })

  async function find(id: string): Promise<Approval> {
    const row = await storage.db.selectFrom('approvals').selectAll().where('id', '=', id).executeTakeFirst()
    if (!row) throw new GwError('request.not_found', `no approval ${id}`, { hint: 'gw approvals list' })
    return view(row)
  }

  /** @throws GwError `request.conflict` when the question is no longer open */
  async function settle(
    id: string,
    set: { state?: Approval['state']; decided_by?: string; link_hash?: string; link_by?: string },
  ): Promise<Approval> {
    const changed = await storage.write(async (tx) => {
      const result = await tx.updateTable('approvals').set(set)
        .where('id', '=', id).where('state', '=', 'pending').where('expires_ms', '>', clock.now()).executeTakeFirst()
      return result.numUpdatedRows > 0n
    })
    const now = await find(id)
    if (!changed) {
      throw new GwError('request.conflict', `approval ${id} is ${now.state} already`, {
        hint: 'let the call be made again: it asks anew',
      })
    }
    if (set.state) listeners.get(id)?.()
    return now
  }

  function mayDecide(asked: Approval, by: Principal): void {
    if (by.id === asked.principal || !(by.kind === 'operator' || by.scopes.has('admin'))) {
      throw new GwError('access.denied', 'an approval is given by somebody with admin scope who did not ask for it', {
        hint: 'let the owner run gw approvals list',
      })
    }
  }

  return {
    async claim(call) {
      const digest = await digestOf(call)
      return storage.write(async (tx) => {
        const now = clock.now()
        const open = await tx.selectFrom('approvals').selectAll()
          .where('digest', '=', digest).where('state', 'in', ['pending', 'approved']).where('expires_ms', '>', now)
          .orderBy('created_ms').executeTakeFirst()
        if (open?.state === 'approved') {
          await tx.updateTable('approvals').set({ state: 'used' }).where('id', '=', open.id).execute()
          return { granted: true as const }
        }
        if (open) return { granted: false as const, approval: view(open) }
        const row = {
          id: newId<string>('apr', now),
          digest,
          principal: call.principal,
          subject: call.subject,
          preview: previewOf(call.arguments),
          state: 'pending',
          created_ms: now,
          expires_ms: now + lifeMs,
          decided_by: null,
          link_hash: null,
          link_by: null,
        }
        await tx.insertInto('approvals').values(row).execute()
        await tx.deleteFrom('approvals').where('expires_ms', '<', now - 7 * 86_400_000).execute()
        return { granted: false as const, approval: view(row) }
      })
    },

    async decide(id, verdict, by) {
      const asked = await find(id)
      if (!(verdict === 'denied' && by.id === asked.principal)) mayDecide(asked, by)
      return settle(id, { state: verdict, decided_by: by.id })
    },

    confirm: (id, client) => settle(id, { state: 'approved', decided_by: `client:${client}` }),

    async link(id, by) {
      mayDecide(await find(id), by)
      // The beginning is that of our tokens, by which every log and audit record knows a secret.
      const code = `la_sk_apr_${crypto.getRandomValues(Buffer.alloc(24)).toString('base64url')}`
      return {
        code: new Secret(code),
        approval: await settle(id, { link_hash: hash('sha256', code), link_by: by.id }),
      }
    },

    async holder(id, code) {
      const row = await storage.db.selectFrom('approvals').select(['link_hash', 'link_by', 'state', 'expires_ms'])
        .where('id', '=', id).executeTakeFirst()
      const [given, wanted] = [Buffer.from(hash('sha256', code)), Buffer.from(row?.link_hash ?? '')]
      const right = given.length === wanted.length && timingSafeEqual(given, wanted)
      if (!right || row?.state !== 'pending' || row.expires_ms <= clock.now()) {
        throw new GwError('access.denied', 'this link is not good, or no longer', {
          hint: `gw approvals link ${id} makes a new one`,
        })
      }
      return { ...operator, id: `link:${row.link_by}` as PrincipalId, kind: 'client', label: 'link' }
    },

    find,

    async list(options) {
      let query = storage.db.selectFrom('approvals').selectAll()
      if (options?.pendingOnly) query = query.where('state', '=', 'pending').where('expires_ms', '>', clock.now())
      return (await query.orderBy('created_ms', 'desc').limit(200).execute()).map(view)
    },

    async settled(id, signal) {
      for (;;) {
        const approval = await find(id)
        if (approval.state !== 'pending') return approval
        // Another process may answer: look again from time to time, at once when it is this one.
        const wake = new AbortController()
        listeners.set(id, () => wake.abort())
        const either = signal ? AbortSignal.any([signal, wake.signal]) : wake.signal
        await clock.sleep(Math.min(pollMs, Math.max(1, approval.expiresAt - clock.now())), either).catch(() => {})
        listeners.delete(id)
        signal?.throwIfAborted()
      }
    },
  }
}

/** The arguments for the person who decides; what does not fit is said, so that nobody takes a part for the whole. */
function previewOf(args: Json): string {
  const text = canonicalJson(args)
  const more = text.length - previewChars
  return more > 0 ? `${text.slice(0, previewChars)} … and ${more} characters more` : text
}

/** What ties an approval to one call: a change of a single byte of it gives another digest. */
async function digestOf(call: ApprovalCall): Promise<string> {
  const text = canonicalJson([call.principal, call.subject, call.arguments, call.policy])
  return [...new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))]
    .map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
