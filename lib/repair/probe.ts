import { GwError, isGwError, readHead, type Secret, toGwError } from '../base/mod.ts'
import type { TargetKey } from '../accounts/mod.ts'
import { type Admission, admit, type Consent } from './admission.ts'
import { type Classified, classify, headerWait, type ProbeOutcome } from './classify.ts'
import { commandVerdict } from './command-outcome.ts'
import { countUse, knownFacts, type RepairContext } from './context.ts'
import { isExpired, loadCredential } from './credential.ts'
import { probeBudget } from './definition/budget.ts'
import { findCapability } from './definition/capability.ts'
import type { Probe } from './definition/schema.ts'
import { fillTemplate, fillUrl } from './definition/template.ts'
import {
  type Decision,
  decisionFor,
  type LastProbeReport,
  lastProbeReport,
  type LivenessReport,
  livenessReport,
} from './describe.ts'
import { decisive } from './explain.ts'
import { childEnv } from './inject.ts'
import { accountKey, policyFor, type RouteAccount, routeKey } from './inventory/inventory.ts'
import { scopeRoutes } from './inventory/scope.ts'
import { refreshAccount, rememberIdentity } from './refresh.ts'
import { createRuntimeCheck, type RuntimeState } from './runtime.ts'
import { boardView, observationOf } from './standing.ts'

/** The answer to a probe. Field names are stable; no text of the provider is in it. */
export interface ProbeReport {
  readonly provider: string
  readonly account: string
  readonly capability: string | null
  readonly ok: boolean
  /** Name of the error, `null` on success. */
  readonly error: string | null
  /** What a command that did this ends with, `null` on success. */
  readonly exit_code: number | null
  readonly probe_executed: boolean
  readonly probe_status: number | null
  readonly decision: Decision
  readonly admission: Admission | null
  readonly runtime: {
    readonly readiness: RuntimeState
    readonly required_binaries: readonly string[]
    readonly env_vars: readonly string[]
    readonly writable_paths: readonly string[]
    readonly session_paths: readonly string[]
  }
  readonly health_key: string
  readonly liveness: LivenessReport | null
  readonly last_probe: LastProbeReport | null
}

/** What to probe, and what the one who asks has granted. */
export interface ProbeRequest {
  readonly provider: string
  readonly account: string
  readonly capability?: string | undefined
  readonly consent: Consent
}

/** How much of a probe's output is looked at. */
const maxHintBytes = 1024 * 1024
const leaseSlackMs = 10_000

/** Output that says this machine has no network: nothing about the account. */
const offline =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|network is unreachable|could not resolve host|name resolution|dns error|no such host/i

/** What a probe found out, before it is reported. */
type Finding =
  | { readonly is: 'validated' }
  | { readonly is: 'judged'; readonly status: number; readonly classified: Classified }
  | { readonly is: 'refused'; readonly error: GwError; readonly name?: string }

/**
 * Finds out whether one capability of one account works, if that is admitted, and records what it means.
 *
 * Without a capability, or for one without a probe, the stored credential is read and its expiry checked; nothing is
 * sent. Causes on this machine (runtime, configuration, locked keychain, no network) are errors and change no liveness.
 *
 * @throws GwError `scope.invalid` for a route that is not there
 */
export async function probeRoute(context: RepairContext, request: ProbeRequest): Promise<ProbeReport> {
  const inventory = context.inventory()
  const [route] = scopeRoutes(inventory, {
    provider: request.provider,
    account: request.account,
    capability: request.capability,
  })
  if (!route) {
    throw new GwError('scope.invalid', `${request.provider}:${request.account} has no such capability`, {
      hint: 'gw stay-afloat accounts names those it has',
    })
  }
  const { account } = route
  const capability = request.capability === undefined ? null : route.capability
  const probe = capability === null ? undefined : findCapability(account.definition, capability)?.probe
  const facts = knownFacts(context)
  const runtime = await createRuntimeCheck({ env: context.env, repairs: facts.repairs, writing: 'marker' })
    .check(account, capability)
  const admission = probe === undefined ? null : admit(
    { kind: 'probe', budget: probeBudget(probe), interactive: false, mutating: false },
    policyFor(inventory.policy, account.provider),
    request.consent,
  )
  const finding = await find(context, { account, capability, probe, runtime, admission })
  record(context, account, capability, finding)
  return report(context, { account, capability, runtime, admission, finding })
}

interface Asked {
  readonly account: RouteAccount
  readonly capability: string | null
  readonly probe: Probe | undefined
  readonly runtime: RuntimeState
  readonly admission: Admission | null
}

async function find(context: RepairContext, asked: Asked): Promise<Finding> {
  const { account, capability, probe, runtime, admission } = asked
  if (admission && !admission.admitted) {
    const what = `a probe of ${routeKey(account.provider, account.account, capability)} costs ${admission.budget}`
    const hint = 'confirm it for this call with --confirm-spend, or allow the budget in the policy'
    return {
      is: 'refused',
      error: new GwError('access.denied', `${what}, which is not admitted`, { hint }),
      name: admission.reason,
    }
  }
  try {
    if (probe === undefined || capability === null) return await validate(context, account)
    if (probe.transport === 'command' && runtime.state !== 'ready') {
      const error = new GwError('credential.unavailable', `this machine is not ready to probe it: ${runtime.state}`, {
        hint: 'gw doctor runtime',
      })
      return { is: 'refused', error, name: runtime.state }
    }
    const key = routeKey(account.provider, account.account, capability)
    const lease = await context.storage.lease(`probe:${key}`, probe.timeout_ms + leaseSlackMs)
    if (!lease) {
      return {
        is: 'refused',
        error: new GwError('request.conflict', `a probe of ${key} is running`, { hint: 'wait for it to end' }),
        name: 'probe_in_progress',
      }
    }
    try {
      await countUse(context, account, null)
      return await runProbe(context, account, capability, probe)
    } finally {
      await lease.release()
    }
  } catch (error) {
    return { is: 'refused', error: toGwError(error) }
  }
}

/** Reads the stored credential and looks at its end. An account whose own program keeps it is taken at its word. */
async function validate(context: RepairContext, account: RouteAccount): Promise<Finding> {
  if (account.relay) {
    if (!context.relay) throw notHere()
    await context.relay.lease(account)
    return { is: 'validated' }
  }
  if (account.secret === null) return { is: 'validated' }
  await usableToken(context, account)
  return { is: 'validated' }
}

/**
 * A token that can be sent now, refreshed where that is ours to do.
 *
 * @throws GwError `credential.expired` when it has ended and nobody here may refresh it; `credential.refresh_failed`
 */
export async function usableToken(
  context: RepairContext,
  account: RouteAccount,
): Promise<{ readonly accessToken: Secret; readonly refreshToken: Secret | null; readonly expiresAt: number | null }> {
  if (account.relay) {
    if (!context.relay) throw notHere()
    const { token, expiresAt } = await context.relay.lease(account)
    return { accessToken: token, refreshToken: null, expiresAt }
  }
  const now = context.clock.now()
  const read = () => loadCredential(account, context, now)
  let credential = await read()
  if (isExpired(credential, now)) {
    const refreshed = await refreshAccount(context, account)
    if (!refreshed.ok) {
      if (refreshed.outcome === 'not_admitted') {
        // A later token is on its way only if whoever owns it puts it there: until then the account is out.
        context.board.lost(account.provider, account.account, 'auth_permanently_failed')
        throw new GwError('credential.expired', `the credential of ${accountKey(account)} has expired`, {
          hint: 'its owner has to renew it',
        })
      }
      throw new GwError(
        'credential.refresh_failed',
        `the credential of ${accountKey(account)} could not be refreshed`,
        {
          details: { outcome: refreshed.outcome },
        },
      )
    }
    credential = await read()
  }
  await rememberIdentity(context, account, credential)
  return credential
}

const notHere = () => new GwError('credential.unavailable', 'this process cannot use the accounts of the relay')

async function runProbe(
  context: RepairContext,
  account: RouteAccount,
  capability: string,
  probe: Probe,
): Promise<Finding> {
  const now = () => context.clock.now()
  if (account.relay) {
    if (!context.relay) throw notHere()
    return judge(await context.relay.ask(account, capability, probe.timeout_ms), account, probe, now())
  }
  // A probe that sends no credential reads none.
  const token = probe.auth === 'none' ? null : await usableToken(context, account)
  if (probe.transport === 'http') {
    return judge(await askHttp(context, account, probe, token?.accessToken ?? null), account, probe, now())
  }
  const result = await context.runProgram(probe.command!, {
    env: childEnv({ account, capability, profile: null, base: context.env, version: context.version, token }),
    timeoutMs: probe.timeout_ms,
    maxOutputBytes: maxHintBytes,
  })
  const verdict = commandVerdict(result, now())
  if (verdict.is === 'quota_exhausted') return { is: 'judged', status: 400, classified: verdict }
  const { outcome } = verdict
  const judged = judge(outcome, account, probe, now())
  const unexplained = judged.is === 'judged' && judged.classified.is === 'degraded' &&
    judged.classified.reason === 'unknown_4xx'
  if (unexplained && offline.test(outcome.hint)) {
    throw new GwError('upstream.unreachable', 'the probe says that this machine has no network')
  }
  if (unexplained && outcome.status === 408) {
    return { is: 'judged', status: 408, classified: { is: 'failure' } }
  }
  return judged
}

function judge(outcome: ProbeOutcome, account: RouteAccount, probe: Probe, now: number): Finding {
  return {
    is: 'judged',
    status: outcome.status,
    classified: classify(outcome, { definition: account.definition, success: probe, now }),
  }
}

async function askHttp(
  context: RepairContext,
  account: RouteAccount,
  probe: Probe,
  token: Secret | null,
): Promise<ProbeOutcome> {
  const url = fillUrl(probe.url, context.env)
  const headers = new Headers({ accept: 'application/json, */*;q=0.5', 'user-agent': `gw/${context.version}` })
  if (probe.content_type) headers.set('content-type', probe.content_type)
  if (token) {
    const value = token.reveal()
    if (probe.auth === 'bearer') headers.set('authorization', `Bearer ${value}`)
    else if (probe.auth === 'authorization_header') headers.set('authorization', value)
    else if (probe.auth === 'token_header') headers.set(probe.auth_header!, value)
  }
  const stop = new AbortController()
  const timer = context.clock.sleep(probe.timeout_ms, stop.signal).then(
    () => stop.abort(new GwError('upstream.timeout', `the probe did not answer in ${probe.timeout_ms} ms`)),
    () => {},
  )
  try {
    const response = await context.fetch(url, {
      method: probe.method,
      headers,
      redirect: 'manual',
      signal: stop.signal,
      ...(probe.body === undefined ? {} : { body: fillTemplate(probe.body, context.env) }),
    })
    const hints = [
      probe.hint_header ? response.headers.get(probe.hint_header) ?? '' : '',
      probe.hint_body ? await readHead(response, maxHintBytes) : '',
    ]
    if (!probe.hint_body) await response.body?.cancel().catch(() => {})
    return {
      status: response.status,
      waitMs: headerWait(response.headers, response.status, account.definition.rate_limits, context.clock.now()),
      hint: hints.filter(Boolean).join('\n'),
    }
  } catch (error) {
    if (isGwError(error)) throw error
    if (isGwError(stop.signal.reason)) throw stop.signal.reason
    throw new GwError('upstream.unreachable', `${new URL(url).host} cannot be reached`, { cause: error })
  } finally {
    stop.abort()
    await timer
  }
}

/** Evidence goes where it belongs: death to the account, everything else to the route that was asked. */
function record(context: RepairContext, account: RouteAccount, capability: string | null, finding: Finding): void {
  const { board, clock } = context
  const whole = accountKey(account) as TargetKey
  if (finding.is === 'validated') {
    const known = board.get(whole)?.liveness
    // A token that is there proves nothing against a provider that refused it.
    const stands = known?.state === 'degraded' || (known?.state === 'dead' && known.reason === 'token_revoked') ||
      (known?.state === 'live' && known.availability.is !== 'available')
    if (!stands) board.note(whole, { is: 'success', source: 'credential_validation' })
    return
  }
  if (finding.is === 'refused') return
  const observation = observationOf(finding.classified, {
    status: finding.status,
    source: 'capability_probe',
    now: clock.now(),
  })
  if (finding.classified.is === 'dead') {
    board.note(whole, observation)
    return
  }
  board.note(routeKey(account.provider, account.account, capability) as TargetKey, observation)
  // A capability that answers proves the account, whatever was believed of it.
  if (finding.classified.is === 'success' && board.get(whole)) board.note(whole, observation)
}

function report(
  context: RepairContext,
  { account, capability, runtime, admission, finding }: Omit<Asked, 'probe'> & { readonly finding: Finding },
): ProbeReport {
  const now = context.clock.now()
  const evidence = decisive(boardView(context.board, now), account, capability)
  const { runtime: needs } = account.definition
  const failed = finding.is === 'refused'
    ? { error: finding.name ?? finding.error.code, exit_code: finding.error.exit }
    : finding.is === 'judged' && finding.classified.is !== 'success'
    ? { error: 'probe_failed', exit_code: 1 }
    : { error: null, exit_code: null }
  return {
    provider: account.provider,
    account: account.account,
    capability,
    ok: failed.error === null,
    ...failed,
    probe_executed: finding.is === 'judged',
    probe_status: finding.is === 'judged' ? finding.status : null,
    decision: evidence ? decisionFor(evidence) : failed.error === null ? 'use_this' : 'try_next_account',
    admission,
    runtime: {
      readiness: runtime,
      required_binaries: needs.required_binaries,
      env_vars: needs.env_vars,
      writable_paths: needs.writable_paths,
      session_paths: needs.session_paths,
    },
    health_key: evidence?.key ?? accountKey(account),
    liveness: evidence && livenessReport(evidence, now),
    last_probe: evidence && lastProbeReport(evidence),
  }
}
