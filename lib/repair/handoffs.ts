import type { Database, Storage } from '../storage/mod.ts'
import type { EventLog } from './events.ts'

/** Which handoff: exactly these four, `null` equal to `null`. */
export interface HandoffKey {
  readonly profile: string | null
  readonly provider: string
  readonly account: string
  readonly capability: string | null
}

/** A step that waits for a person. Times are epoch seconds. */
export interface Handoff extends HandoffKey {
  readonly action: string
  readonly reason: string
  /** A line that person can run. */
  readonly command: string | null
  readonly queued_at: number
  readonly acknowledged_at: number | null
  readonly resolved_at: number | null
  readonly pending: boolean
}

/** The answer to an acknowledgement or a clearing. */
export interface HandoffReport extends HandoffKey {
  readonly ok: boolean
  readonly action: 'ack' | 'clear'
  readonly handoff_pending: boolean
  readonly handoff_acknowledged: boolean
  readonly handoff_resolved: boolean
  readonly event_recorded: boolean
  readonly reason: 'user_acknowledged' | 'manual_clear' | 'no_pending_handoff'
}

/** The steps that wait for people. */
export interface Handoffs {
  /** Pending ones, or with `all` the resolved ones too; oldest first. */
  list(
    options?: { readonly all?: boolean | undefined; readonly limit?: number | undefined },
  ): Promise<readonly Handoff[]>
  /** Queues a step; false when the same one already waits. */
  queue(key: HandoffKey, step: { action: string; reason: string; command: string | null }): Promise<boolean>
  /** Says that it has been seen. It stays pending. Where none of that very name waits, the whole account's is meant. */
  acknowledge(key: HandoffKey): Promise<HandoffReport>
  /** Says that it is done, like {@link Handoffs.acknowledge}. The same problem may queue again. */
  clear(key: HandoffKey): Promise<HandoffReport>
  /** Resolves it silently because the route works again; false when nothing waited. */
  settle(key: HandoffKey): Promise<boolean>
}

/** Resolved handoffs that are kept. */
const maxResolved = 500

const textOf = ({ profile, provider, account, capability }: HandoffKey): string =>
  JSON.stringify([profile, provider, account, capability])

/** The handoffs of this home. */
export function createHandoffs(storage: Storage, events: EventLog, now: () => number): Handoffs {
  const pending = (text: string) =>
    storage.db.selectFrom('repair_handoffs').selectAll().where('key', '=', text).where('resolved_ms', 'is', null)
      .executeTakeFirst()

  async function meant(asked: HandoffKey): Promise<HandoffKey> {
    const { provider, account } = asked
    const whole = { profile: null, provider, account, capability: null }
    return await pending(textOf(asked)) || !await pending(textOf(whole)) ? asked : whole
  }

  async function resolve(key: HandoffKey): Promise<boolean> {
    return await storage.write(async (tx) => {
      const result = await tx.updateTable('repair_handoffs').set({ resolved_ms: now() })
        .where('key', '=', textOf(key)).where('resolved_ms', 'is', null).executeTakeFirst()
      const old = await tx.selectFrom('repair_handoffs').select('id').where('resolved_ms', 'is not', null)
        .orderBy('id', 'desc').offset(maxResolved).limit(1).executeTakeFirst()
      if (old) {
        await tx.deleteFrom('repair_handoffs').where('resolved_ms', 'is not', null).where('id', '<=', old.id).execute()
      }
      return result.numUpdatedRows > 0n
    })
  }

  const report = (key: HandoffKey, action: 'ack' | 'clear', found: boolean): HandoffReport => ({
    ok: true,
    action,
    profile: key.profile,
    provider: key.provider,
    account: key.account,
    capability: key.capability,
    handoff_pending: found && action === 'ack',
    handoff_acknowledged: found && action === 'ack',
    handoff_resolved: found && action === 'clear',
    event_recorded: found,
    reason: !found ? 'no_pending_handoff' : action === 'ack' ? 'user_acknowledged' : 'manual_clear',
  })

  return {
    async list({ all = false, limit = 50 } = {}) {
      let query = storage.db.selectFrom('repair_handoffs').selectAll().orderBy('id', 'desc')
        .limit(Math.max(1, Math.min(limit, 1000)))
      if (!all) query = query.where('resolved_ms', 'is', null)
      return (await query.execute()).reverse().map(handoffOf)
    },
    async queue(key, step) {
      return await storage.write(async (tx) => {
        const known = await tx.selectFrom('repair_handoffs').select('id').where('key', '=', textOf(key))
          .where('resolved_ms', 'is', null).executeTakeFirst()
        if (known) return false
        await tx.insertInto('repair_handoffs').values({
          key: textOf(key),
          profile: key.profile,
          provider: key.provider,
          account: key.account,
          capability: key.capability,
          action: step.action,
          reason: step.reason,
          command: step.command,
          queued_ms: now(),
          acknowledged_ms: null,
          resolved_ms: null,
        }).execute()
        return true
      })
    },
    async acknowledge(asked) {
      const key = await meant(asked)
      const row = await pending(textOf(key))
      if (!row) return report(key, 'ack', false)
      await storage.write((tx) =>
        tx.updateTable('repair_handoffs').set({ acknowledged_ms: now() }).where('id', '=', row.id).execute()
      )
      await events.append({
        kind: 'daemon_handoff',
        outcome: 'handoff_acknowledged',
        reason: 'user_acknowledged',
        ok: true,
        ...key,
      })
      return report(key, 'ack', true)
    },
    async clear(asked) {
      const key = await meant(asked)
      const found = await resolve(key)
      if (found) {
        await events.append({
          kind: 'daemon_handoff',
          outcome: 'handoff_resolved',
          reason: 'manual_clear',
          ok: true,
          ...key,
        })
      }
      return report(key, 'clear', found)
    },
    settle: resolve,
  }
}

function handoffOf(row: Omit<Database['repair_handoffs'], 'id'>): Handoff {
  const seconds = (ms: number | null) => ms === null ? null : Math.floor(ms / 1000)
  return {
    profile: row.profile,
    provider: row.provider,
    account: row.account,
    capability: row.capability,
    action: row.action,
    reason: row.reason,
    command: row.command,
    queued_at: Math.floor(row.queued_ms / 1000),
    acknowledged_at: seconds(row.acknowledged_ms),
    resolved_at: seconds(row.resolved_ms),
    pending: row.resolved_ms === null,
  }
}
