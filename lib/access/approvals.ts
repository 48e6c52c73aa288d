import { canonicalJson, type Clock, GwError, type Json, newId, type PrincipalId } from '../base/mod.ts'
import type { Storage } from '../storage/mod.ts'
import type { Principal } from './principal.ts'

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
   * Answers a question.
   *
   * @throws GwError `access.denied` when the one who asked tries to answer, or lacks `admin`; `request.not_found`;
   * `request.conflict` when it has been answered or has expired
   */
  decide(id: string, verdict: 'approved' | 'denied', by: Principal): Promise<Approval>
  /** Questions, newest first; at most 200. */
  list(options?: { readonly pendingOnly?: boolean }): Promise<Approval[]>
  /** Resolves when the question is answered or its time is over. */
  settled(id: string, signal?: AbortSignal): Promise<Approval>
}

const previewChars = 2_000
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
          preview: canonicalJson(call.arguments).slice(0, previewChars),
          state: 'pending',
          created_ms: now,
          expires_ms: now + lifeMs,
          decided_by: null,
        }
        await tx.insertInto('approvals').values(row).execute()
        await tx.deleteFrom('approvals').where('expires_ms', '<', now - 7 * 86_400_000).execute()
        return { granted: false as const, approval: view(row) }
      })
    },

    async decide(id, verdict, by) {
      const asked = await find(id)
      if (by.id === asked.principal || !(by.kind === 'operator' || by.scopes.has('admin'))) {
        throw new GwError('access.denied', 'an approval is given by somebody with admin scope who did not ask for it')
      }
      const changed = await storage.write(async (tx) => {
        const result = await tx.updateTable('approvals').set({ state: verdict, decided_by: by.id })
          .where('id', '=', id).where('state', '=', 'pending').where('expires_ms', '>', clock.now()).executeTakeFirst()
        return result.numUpdatedRows > 0n
      })
      if (!changed) throw new GwError('request.conflict', `approval ${id} is ${(await find(id)).state} already`)
      listeners.get(id)?.()
      return find(id)
    },

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

/** What ties an approval to one call: a change of a single byte of it gives another digest. */
async function digestOf(call: ApprovalCall): Promise<string> {
  const text = canonicalJson([call.principal, call.subject, call.arguments, call.policy])
  return [...new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))]
    .map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
