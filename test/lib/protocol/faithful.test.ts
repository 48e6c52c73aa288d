import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { isGwError, type Json, type JsonObject } from '../../../lib/base/mod.ts'
import { type Loss, type ProtocolId, protocolIds, translator } from '../../../lib/protocol/mod.ts'
import { protocols } from '../../../lib/protocol/protocols.ts'
import { arbitraryRequest } from './arbitrary.ts'

const ids = protocolIds.filter((id) => protocols[id] !== undefined)
const translate = (client: ProtocolId, upstream: ProtocolId, body: JsonObject, strict = false) =>
  translator(client, upstream, { id: 'x1', now: 0, strict }).request(body, { model: 'target-model' })

interface Leaf {
  readonly path: string
  readonly key: string
  readonly value: string | number | boolean
}

/** Every primitive of a document with its path. Keys that hold a marker are leaves too. */
function leavesOf(value: Json | undefined, path: string, key: string, out: Leaf[]): Leaf[] {
  if (Array.isArray(value)) value.forEach((item, i) => leavesOf(item as Json, `${path}[${i}]`, key, out))
  else if (typeof value === 'object' && value !== null) {
    for (const [name, item] of Object.entries(value)) {
      const at = path === '' ? name : `${path}.${name}`
      if (/mk\w+x/.test(name)) out.push({ path: at, key: '', value: name })
      leavesOf(item as Json | undefined, at, name, out)
    }
  } else if (value !== null && value !== undefined) out.push({ path, key, value: value as string | number | boolean })
  return out
}

/** Whether a listed loss is of this leaf or of something it is part of. */
const covered = (path: string, losses: readonly Loss[]): boolean =>
  losses.some((loss) => path === loss.path || path.startsWith(`${loss.path}.`) || path.startsWith(`${loss.path}[`))

/**
 * Values that are no content: how a document is built, or what happens anyway. Written down here once more, so that the
 * translator cannot excuse itself.
 */
const structural = new Set(['type', 'role', 'model', 'execution', 'status', 'mode', 'include'])
const defaults: Readonly<Record<string, readonly unknown[]>> = {
  parallel_tool_calls: [true],
  store: [false],
  stream: [false],
  strict: [false, true],
  detail: ['auto'],
  truncation: ['disabled'],
  tool_choice: ['auto'],
  verbosity: ['medium'],
  media_type: ['text/plain', 'image/png', 'application/pdf'],
  mimeType: ['image/png', 'application/pdf'],
  syntax: ['lark'],
  // Loaded by the time a message brings it.
  defer_loading: [true, false],
  external_web_access: [],
}
/** Ids that a protocol may make anew because nothing refers to them. */
const bookkeeping = /(^|\.)(id|namespace)$/

/** Values that have another word in another protocol. */
const equals: Readonly<Record<string, RegExp>> = {
  'service_tier=standard_only': /"service_tier":"default"/,
  'service_tier=default': /"service_tier":"standard_only"/,
  'reasoning_effort=none': /"thinking":\{"type":"disabled"|"thinkingBudget":0/,
  'effort=none': /"thinking":\{"type":"disabled"|"thinkingBudget":0/,
  // Without thoughts there is nothing to summarise.
  'summary=auto':
    /"thinking":\{"type":"disabled"|"summary":"auto"|"display":"summarized"|"includeThoughts":true|"thinkingBudget":0/,
  'summary=detailed': /"thinking":\{"type":"disabled"|"summary":"detailed"|"thinkingBudget":0/,
  'includeThoughts=true': /"summary":"auto"|"display":"summarized"/,
  'type=disabled': /"thinkingBudget":0/,
  'is_error=true': /"response":\{"error":/,
  'tool_choice=none': /"tool_choice":\{"type":"none"|"mode":"NONE"/,
  ...Object.fromEntries(
    ['reasoning_effort', 'effort', 'thinkingLevel'].flatMap((key) =>
      ['minimal', 'low', 'medium', 'high', 'xhigh', 'max'].map((
        step,
      ) => [`${key}=${step}`, /"budget_tokens":|"thinkingLevel":|"thinkingBudget":/])
    ),
  ),
}

function missing(body: JsonObject, out: JsonObject, losses: readonly Loss[]): string[] {
  const wire = JSON.stringify(out)
  const bare = wire.replaceAll('\\', '')
  const decoded = [...wire.matchAll(/(?:base64,|"data":")([A-Za-z0-9+/=]+)/g)].map((match) => {
    try {
      return atob(match[1]!)
    } catch {
      return ''
    }
  }).join(' ')
  const noTools = !('tools' in out)
  // Where no call may be made, it does not matter how many at once.
  const noCalls = /"tool_choice":\{"type":"none"|"tool_choice":"none"|"mode":"NONE"/.test(wire)
  return leavesOf(body, '', '', []).flatMap(({ path, key, value }) => {
    if (structural.has(key) || covered(path, losses)) return []
    if (equals[`${key}=${value}`]?.test(wire)) return []
    if (defaults[key]?.includes(value)) return []
    // There the ordinary tier is what is not named.
    if (key === 'service_tier' && 'contents' in out && value !== 'flex' && value !== 'priority') return []
    if (bookkeeping.test(path) && /^input\[\d+\]\.(id|namespace)$/.test(path)) return []
    const markers = typeof value === 'string' ? value.match(/mk\w+?x/g) : null
    if (markers !== null) {
      return markers.every((word) => bare.includes(word) || decoded.includes(word)) ? [] : [`${path} = ${value}`]
    }
    if (path.startsWith('tool_choice') || path.startsWith('parallel_tool_calls') || path.startsWith('toolConfig')) {
      // Without tools there is nothing to choose.
      if (noTools || (noCalls && path.includes('parallel'))) return []
      return choiceKept(path, value, out) ? [] : [`${path} = ${value}`]
    }
    if (typeof value === 'boolean') return wire.includes(`"${key}":${value}`) ? [] : [`${path} = ${value}`]
    const said = typeof value === 'number'
      ? String(value)
      : value.replaceAll('"', '').replaceAll('\\', '').replace(/[\r\n]/g, '')
    return bare.includes(said) ? [] : [`${path} = ${value}`]
  })
}

/** Tool choices are other words in each protocol. */
function choiceKept(path: string, value: unknown, out: JsonObject): boolean {
  const choice = JSON.stringify([out.tool_choice ?? null, out.parallel_tool_calls ?? null, out.toolConfig ?? null])
  const words: Record<string, RegExp> = {
    none: /none/i,
    required: /required|"any"/i,
    any: /required|"any"/i,
    ANY: /required|"any"|function|tool/i,
    NONE: /none/i,
    auto: /null|auto/i,
    bash: /bash/,
    true: /"disable_parallel_tool_use":true|,false/,
    false: /"disable_parallel_tool_use":true|,false/,
  }
  return words[String(value)]?.test(choice) ?? path === ''
}

for (const client of ids) {
  for (const upstream of ids.filter((id) => id !== client)) {
    describe(`a request from ${client} to ${upstream}`, () => {
      test('carries every value, or lists it as a loss, or is refused with the path', () => {
        fc.assert(
          fc.property(arbitraryRequest(client), (body) => {
            let result
            try {
              result = translate(client, upstream, body)
            } catch (error) {
              expect(isGwError(error) && error.code === 'request.invalid' && error.param).toBeTruthy()
              return
            }
            expect(missing(body, result.body, result.losses)).toEqual([])
          }),
          { numRuns: 1700, seed: 4 },
        )
      }, 60_000)

      test('is refused by strict exactly when something would be lost', () => {
        fc.assert(
          fc.property(arbitraryRequest(client), (body) => {
            const { losses } = translate(client, upstream, body)
            try {
              translate(client, upstream, body, true)
              expect(losses).toEqual([])
            } catch (error) {
              if (!isGwError(error)) throw error
              expect([error.code, error.status, error.param]).toEqual(['request.lossy', 400, losses[0]!.path])
            }
          }),
          { numRuns: 100, seed: 5 },
        )
      })
    })
  }
}

/** What two spellings of one request have in common. */
function normal(body: JsonObject): JsonObject {
  const { model: _, max_tokens, max_completion_tokens, stream_options, stream, stop, ...rest } = body
  const full = Object.entries(rest).filter(([, value]) => JSON.stringify(value) !== '{}')
  return JSON.parse(JSON.stringify({
    ...Object.fromEntries(full),
    stop: typeof stop === 'string' ? [stop] : stop,
    limit: max_completion_tokens ?? max_tokens,
    ...(stream === true ? { stream } : {}),
    ...(stream_options && !('include_usage' in (stream_options as JsonObject)) ? { stream_options } : {}),
  }))
}

for (const id of ids) {
  test(`decode and encode of ${id} are inverse`, () => {
    fc.assert(
      fc.property(arbitraryRequest(id), (body) => {
        const { body: again, losses } = translate(id, id, body)
        expect(losses).toEqual([])
        expect(normal(again)).toEqual(normal(body))
      }),
      { numRuns: 1000, seed: 6 },
    )
  }, 60_000)
}
