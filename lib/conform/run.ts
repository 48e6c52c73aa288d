import { GwError, isGwError } from '../base/mod.ts'
import type { ProtocolId } from '../protocol/mod.ts'
import { type Bench, type Case, cases, type Wire, wires } from './cases.ts'

/** What is tested, and with what. */
export interface ConformanceOptions {
  /** With or without `/v1` at its end. */
  readonly baseUrl: string
  readonly token: string
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  /** A model that can call tools; the first one listed when absent. */
  readonly model?: string
  /** Cases whose id holds this text; all when absent. */
  readonly only?: string
  /** Milliseconds for one case; 60,000 when absent. */
  readonly timeoutMs?: number
  readonly now?: () => number
}

/** How one case went. */
export interface CaseReport {
  /** `<protocol>/<case>`. */
  readonly id: string
  readonly protocol: ProtocolId
  readonly title: string
  readonly outcome: 'pass' | 'fail'
  /** What was wrong; empty when nothing was. */
  readonly detail: string
  readonly durationMs: number
}

/** How all of them went. */
export interface ConformanceReport {
  readonly baseUrl: string
  readonly model: string
  readonly passed: number
  readonly failed: number
  readonly cases: readonly CaseReport[]
}

/**
 * Runs every case against a gateway, one after the other.
 *
 * @throws GwError `model.missing` when no model is given and none is listed, `upstream.unreachable` when nobody answers
 */
export async function runConformance(options: ConformanceOptions): Promise<ConformanceReport> {
  const base = options.baseUrl.replace(/\/+$/, '').replace(/\/v1$/, '')
  const now = options.now ?? (() => performance.now())
  const model = options.model ?? await firstModel(base, options)
  const reports: CaseReport[] = []
  for (const wire of wires) {
    for (const item of cases) {
      const id = `${wire.protocol}/${item.id}`
      if (options.only !== undefined && !id.includes(options.only)) continue
      const from = now()
      const detail = await judge(item, wire, base, model, options)
      const outcome = detail === '' ? 'pass' : 'fail'
      reports.push({ id, protocol: wire.protocol, title: item.title, outcome, detail, durationMs: now() - from })
    }
  }
  const failed = reports.filter(({ outcome }) => outcome === 'fail').length
  return { baseUrl: base, model, passed: reports.length - failed, failed, cases: reports }
}

async function judge(
  item: Case,
  wire: Wire,
  base: string,
  model: string,
  options: ConformanceOptions,
): Promise<string> {
  const send: Bench['send'] = (body, { token = options.token, stream = false, model: other = model } = {}) =>
    options.fetch(base + wire.path(other, stream), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(wire.protocol === 'anthropic-messages' ? { 'anthropic-version': '2023-06-01' } : {}),
        ...(token === null
          ? {}
          : wire.protocol === 'gemini'
          ? { 'x-goog-api-key': token }
          : { authorization: `Bearer ${token}` }),
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(options.timeoutMs ?? 60_000),
    })
  try {
    await item.run({ wire, model, send })
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function firstModel(base: string, options: ConformanceOptions): Promise<string> {
  let list: unknown
  try {
    const reply = await options.fetch(`${base}/v1/models`, { headers: { authorization: `Bearer ${options.token}` } })
    list = await reply.json()
  } catch (cause) {
    if (isGwError(cause)) throw cause
    throw new GwError('upstream.unreachable', `${base} does not answer`, { cause })
  }
  const first = (list as { data?: { id?: unknown }[] }).data?.[0]?.id
  if (typeof first === 'string') return first
  throw new GwError('model.missing', `${base} lists no model`, { hint: 'name one with --model' })
}
