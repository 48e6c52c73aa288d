import { GwError, isGwError, type JsonObject } from '../base/mod.ts'
import type { ProtocolId } from '../protocol/mod.ts'
import { type Bench, brokenCases, type Case, cases, type Wire, wires } from './cases.ts'

/** What is tested, and with what. */
export interface ConformanceOptions {
  /** With or without `/v1` at its end. */
  readonly baseUrl: string
  readonly token: string
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>
  /** A model that can call tools; one of the first listed that do when absent. */
  readonly model?: string
  /** Models that break in the middle of their answers, or by what they say: each must end in an error. */
  readonly broken?: readonly string[]
  /** Cases whose id holds this text; all when absent. */
  readonly only?: string
  /** Milliseconds for one case; 60,000 when absent. */
  readonly timeoutMs?: number
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
  const model = options.model ?? await modelThatAnswers(base, options)
  const reports: CaseReport[] = []
  const all = [...cases, ...(options.broken ?? []).flatMap(brokenCases)]
  for (const wire of wires) {
    for (const item of all) {
      const id = `${wire.protocol}/${item.id}`
      if (options.only !== undefined && !id.includes(options.only)) continue
      const from = performance.now()
      const detail = await judge(item, wire, base, model, options)
      const outcome = detail === '' ? 'pass' : 'fail'
      reports.push({
        id,
        protocol: wire.protocol,
        title: item.title,
        outcome,
        detail,
        durationMs: performance.now() - from,
      })
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
  try {
    await item.run({ wire, model, send: sender(wire, base, model, options) })
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function sender(wire: Wire, base: string, model: string, options: ConformanceOptions): Bench['send'] {
  return (body, { token = options.token, stream = false, model: other = model } = {}) =>
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
}

/** How many of the models that a gateway lists are tried, how many must call a tool, and how long each may take, ms. */
const maxTried = 12
const enough = 3
const tryMs = 2000

/**
 * The one of the first models listed that call a tool which streams an answer soonest: lists begin with embeddings, or
 * with models that are slow or broken on purpose. Where none does, the first one listed.
 */
async function modelThatAnswers(base: string, options: ConformanceOptions): Promise<string> {
  const [first, ...others] = await listModels(base, options)
  const hurried = { ...options, timeoutMs: Math.min(tryMs, options.timeoutMs ?? tryMs) }
  for (const wire of wires) {
    const found: { readonly model: string; readonly ms: number }[] = []
    for (const model of [first, ...others].slice(0, maxTried)) {
      const send = sender(wire, base, model, hurried)
      if (await callsTool(wire, send, model)) found.push({ model, ms: await streamMs(wire, send, model) })
      if (found.length === enough) break
    }
    const [quickest] = found.toSorted((a, b) => a.ms - b.ms)
    if (quickest) return quickest.model
  }
  return first
}

async function callsTool(wire: Wire, send: Bench['send'], model: string): Promise<boolean> {
  try {
    const reply = await send(wire.ask(model, 'Call the tool.', 'note'))
    return reply.ok && wire.calls(await reply.json() as JsonObject).length > 0
  } catch {
    return false
  }
}

/** How long a streamed answer takes, ms; infinite where it does not come to its end. */
async function streamMs(wire: Wire, send: Bench['send'], model: string): Promise<number> {
  const from = performance.now()
  try {
    const reply = await send(wire.streamed(wire.ask(model, 'Say yes.')), { stream: true })
    await reply.text()
    return reply.ok ? performance.now() - from : Infinity
  } catch {
    return Infinity
  }
}

/** The models that a gateway lists, at least one. */
async function listModels(base: string, options: ConformanceOptions): Promise<readonly [string, ...string[]]> {
  let list: unknown
  try {
    const reply = await options.fetch(`${base}/v1/models`, {
      headers: { authorization: `Bearer ${options.token}` },
      signal: AbortSignal.timeout(options.timeoutMs ?? 60_000),
    })
    list = await reply.json()
  } catch (cause) {
    if (isGwError(cause)) throw cause
    throw new GwError('upstream.unreachable', `${base} does not answer`, { cause })
  }
  const listed = (list as { data?: { id?: unknown }[] } | null)?.data
  const [first, ...others] = (Array.isArray(listed) ? listed : []).flatMap(({ id }) =>
    typeof id === 'string' ? [id] : []
  )
  if (first !== undefined) return [first, ...others]
  throw new GwError('model.missing', `${base} lists no model`, { hint: 'name one with --model' })
}
