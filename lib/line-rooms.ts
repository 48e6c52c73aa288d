import type { Account } from './accounts/mod.ts'
import { GwError, isObject } from './base/mod.ts'
import type { Credential } from './credentials/mod.ts'
import type { Admitter, Body, Leaser, Observer, Recorder } from './gateway/mod.ts'
import { readWindows } from './liveness/mod.ts'
import type { Home } from './open-home.ts'
import { entitlementOf, entitlementRemedy } from './routing/mod.ts'
import { type RequestRecord, withCost, worstCostMicros } from './usage/mod.ts'

// What the straight line of a request asks of a home, each in the few words that the line knows.

/** The account of a target, or `null` for one that a caller brought along. */
export function accountOf(home: Home, id: string) {
  try {
    return home.accounts.get(id)
  } catch {
    return null
  }
}

/** What an attempt shows of its target: to what is believed of it. */
export function observerOf(home: Home): Observer {
  const { board, clock } = home
  return {
    served: (target, { status, headers, firstByteMs }) => {
      const windows = readWindows(headers, clock.now(), target.model)
      board.observe(target, { is: 'success', status, firstByteMs, windows })
    },
    finished: (target, outputTokens, writingMs) => board.measured(target, outputTokens, writingMs),
    failed(target, failure) {
      // Its login is over, as its vendor said when it was to be renewed: nobody needs to find that out again.
      if (failure.kind === 'local' && failure.code === 'credential.login_required') {
        return board.lost(target.provider, target.account, 'auth_permanently_failed')
      }
      // Where no credential is sent, none was refused: it is that model which does not answer.
      const keyless = failure.kind === 'unauthorized' &&
        (target.deployment.auth ?? home.catalog().provider(target.provider)?.auth)?.type === 'none'
      const seen = keyless ? { ...failure, kind: 'forbidden', scope: 'model' } as const : failure
      board.observe(target, { is: 'failure', failure: seen })
    },
  }
}

/** Prices each record and hands it to the batched writer. */
export function recorderOf(home: Home): Recorder {
  return {
    planned: (id, plan) => home.receipts.keep(id, plan),
    record: (record) => home.usage.record(priced(home, record)),
    keep({ json, bytes, contentType }, { id, outcome }) {
      const { capture } = home.usage
      const failed = outcome !== 'ok'
      if (!json) {
        if (capture.wantsAudio) void keepAudio(capture, id, bytes, contentType ?? '')
      } else if (capture.wantsBodies(failed)) {
        capture.bodies(id, failed, { request: new TextDecoder().decode(bytes) })
      }
    },
  }
}

/** Keeps the files of a form. */
async function keepAudio(
  capture: Home['usage']['capture'],
  id: string,
  bytes: Uint8Array<ArrayBuffer>,
  type: string,
): Promise<void> {
  const form = await new Response(bytes, { headers: { 'content-type': type } }).formData().catch(() => null)
  const file = form?.get('file')
  if (file instanceof File) await capture.audio(id, file.type, new Uint8Array(await file.arrayBuffer()))
}

/** What a record cost by the catalogue of now. */
function priced(home: Home, record: Parameters<Recorder['record']>[0]): RequestRecord {
  const { provider, model, account } = record
  const price = provider !== null && model !== null ? home.catalog().model(provider, model, record.at).price : null
  return withCost(record, price, account !== null && accountOf(home, account)?.plan === true)
}

/** How long a credential is used before its source is asked again: sources remember for longer, but cost more to ask. */
const leaseMs = 1_000

/** Leases credentials, remembered for a second by the account as it is declared now. */
export function leaserOf(home: Home): Leaser {
  const { clock } = home
  const known = new WeakMap<Account, { readonly credential: Credential; readonly until: number }>()
  return {
    lease(target, { headers, protocol, refused }) {
      const account = home.accounts.get(target.account)
      /** What was planned as an API key may have turned out to be a plan, a moment ago or by this very reading. */
      const permitted = (credential: Credential): Credential => {
        const now = accountOf(home, account.id) ?? account
        const provider = now.plan && !now.allowUndocumentedUse ? home.catalog().provider(now.provider) : null
        const passesThrough = protocol === null || protocol === target.deployment.protocol
        if (!provider || entitlementOf(now, provider, headers, passesThrough) !== 'undocumented') return credential
        throw new GwError('credential.unavailable', `account ${now.id} is a plan: ${entitlementRemedy(now, provider)}`)
      }
      const hit = known.get(account)
      if (hit && !refused && hit.until > clock.monotonic()) {
        return account.plan ? permitted(hit.credential) : hit.credential
      }
      return home.accounts.credentialFor(account, refused ? { force: true } : {}).then((credential) => {
        const expiresInMs = credential.expiresAt === null ? leaseMs : credential.expiresAt - clock.now()
        known.set(account, { credential, until: clock.monotonic() + Math.min(leaseMs, expiresInMs) })
        return permitted(credential)
      })
    },
  }
}

/** Holds room in the budgets of tokens that have any; the others cost nothing here. */
export function admitterOf(home: Home): Admitter {
  return {
    admit(ask, plan) {
      if (ask.principal.limitedBy === undefined) return null
      const planned = plan.targets[0]!.target
      const model = home.catalog().model(planned.provider, planned.model, ask.at)
      const inputTokens = Math.ceil(ask.body.bytes.length / 3)
      const outputTokens = numberIn(ask.body, ['max_completion_tokens', 'max_tokens', 'max_output_tokens']) ??
        numberUnder(ask.body, 'generationConfig', 'maxOutputTokens') ??
        model.maxOutputTokens ?? 4096
      const free = accountOf(home, planned.account)?.plan === true
      const costMicros = free ? 0 : worstCostMicros(model.price, inputTokens, outputTokens)
      return home.access.admit(ask.principal, { costMicros, tokens: inputTokens + outputTokens }).then((held) => ({
        settle(record) {
          if (record.attempts.length === 0) return held.release()
          const { costMicros, tokens: { inputTokens, outputTokens } } = priced(home, record)
          const known = inputTokens !== null || outputTokens !== null
          held.settle({ costMicros, tokens: known ? (inputTokens ?? 0) + (outputTokens ?? 0) : null })
        },
      }))
    },
  }
}

function numberIn(body: Body, names: readonly string[]): number | null {
  for (const name of names) {
    const value = body.has(name) ? body.field(name) : null
    if (typeof value === 'number' && value >= 0 && Number.isFinite(value)) return value
  }
  return null
}

function numberUnder(body: Body, name: string, inner: string): number | null {
  const value = body.has(name) ? body.field(name) : null
  const found = isObject(value) ? value[inner] : null
  return typeof found === 'number' && found >= 0 && Number.isFinite(found) ? found : null
}
