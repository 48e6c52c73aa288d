import { createHash } from 'node:crypto'
import type { InferenceRequest, ToolDefinition, ToolKind } from './request.ts'

/** A tool as its caller knows it. */
export interface KnownTool {
  readonly name: string
  readonly namespace: string | null
  readonly kind: ToolKind
}

/** The two names of each tool: the caller's, and the one an upstream without namespaces and with length limits gets. */
export interface ToolNames {
  /** The upstream's name. The same tool always gets the same one. */
  flat(name: string, namespace: string | null): string
  /** The caller's tool behind an upstream's name; `null` when the caller declared none like it. */
  find(flat: string): KnownTool | null
}

/** The name under which a client's own tool search goes to upstreams that know no such thing. */
export const toolSearchName = 'tool_search'

/**
 * Names for the tools of one request.
 *
 * `namespace` and name are joined by `__`; what is longer than the target takes or holds other characters ends in a hash
 * of the whole, so two tools never meet. Found again by exact name first, then by the `undeclared-tool` repair: without
 * a `functions.` prefix and regardless of case, when that leaves exactly one.
 */
export function toolNames(tools: readonly ToolDefinition[], limit: number): ToolNames {
  const forward = new Map<string, string>()
  const back = new Map<string, KnownTool>()
  const loose = new Map<string, KnownTool | null>()

  function flat(name: string, namespace: string | null): string {
    const whole = namespace === null ? name : `${namespace}__${name}`
    let short = forward.get(whole)
    if (short === undefined) forward.set(whole, short = fitName(whole, limit))
    return short
  }
  function declare(tool: KnownTool): void {
    const short = flat(tool.name, tool.namespace)
    if (!back.has(short)) back.set(short, tool)
    for (const key of [short.toLowerCase(), tool.name.toLowerCase()]) {
      const known = loose.get(key)
      if (known === undefined) loose.set(key, tool)
      else if (known !== null && (known.name !== tool.name || known.namespace !== tool.namespace)) loose.set(key, null)
    }
  }
  for (const tool of tools) {
    if (tool.type === 'tool-search') declare({ name: toolSearchName, namespace: null, kind: 'tool-search' })
    else if (tool.type !== 'native') {
      declare({ name: tool.name, namespace: tool.namespace?.name ?? null, kind: tool.type })
    }
  }
  return {
    flat,
    find(name) {
      const known = back.get(name)
      if (known !== undefined || back.size === 0) return known ?? null
      return loose.get(name.replace(/^functions\./, '').trim().toLowerCase()) ?? null
    },
  }
}

function fitName(name: string, limit: number): string {
  if (name.length <= limit && /^[\w-]+$/.test(name)) return name
  return `${name.replace(/[^\w-]/g, '_').slice(0, limit - 9)}_${hash(name, 8)}`
}

/** Call ids that both sides accept. */
export interface ToolIds {
  /** The id for the other side: itself when it fits `[A-Za-z0-9_-]` and its limit, else a hash of it. */
  short(id: string): string
  /** The id that {@link ToolIds.short} replaced in this exchange; else the id itself, or a hash if the caller cannot take it. */
  long(id: string): string
}

const plainId = /^[\w-]{1,64}$/

/**
 * Ids for the calls of one exchange. Equal ids stay equal over all turns, so calls and results keep meeting.
 *
 * @param limit how long an id of the other side may be
 * @param tidy whether the caller's side takes none but `[A-Za-z0-9_-]{1,64}`
 */
export function toolIds(limit: number, tidy: boolean): ToolIds {
  const back = new Map<string, string>()
  const madeOf = (id: string): string => `gw_${hash(id, 36)}`
  return {
    short(id) {
      if (id.length <= limit && plainId.test(id)) return id
      const short = madeOf(id)
      back.set(short, id)
      return short
    },
    long: (id) => back.get(id) ?? (!tidy || plainId.test(id) ? id : madeOf(id)),
  }
}

function hash(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length)
}

/** JSON arguments that carry the free text of a custom tool through a protocol with JSON arguments only. */
export function wrapCustomInput(input: string): { input: string } {
  return { input }
}

/** Reads the text of a custom tool out of JSON arguments that arrive in fragments. */
export interface CustomUnwrapper {
  /** The text that a fragment of the JSON completes. */
  push(fragment: string): string
  /** What is left when the arguments end: all of them, if they were not of the expected shape. */
  end(): string
}

const opening = /^\s*\{\s*"input"\s*:\s*"/

/** An incremental {@link unwrapCustomInput}: linear in the length of the arguments. */
export function customUnwrapper(): CustomUnwrapper {
  let state: 'opening' | 'inside' | 'after' = 'opening'
  let held = ''

  function inside(): string {
    let i = 0
    let end = -1
    while (i < held.length) {
      const c = held.charCodeAt(i)
      if (c === 34) {
        end = i
        break
      }
      if (c !== 92) i++
      else if (i + 1 >= held.length || (held[i + 1] === 'u' && i + 6 > held.length)) break
      else i += held[i + 1] === 'u' ? 6 : 2
    }
    const out = unescape(held.slice(0, end < 0 ? i : end))
    held = end < 0 ? held.slice(i) : ''
    if (end >= 0) state = 'after'
    return out
  }

  return {
    push(fragment) {
      if (state === 'after') return ''
      held += fragment
      if (state === 'inside') return inside()
      // The opening is short: text that has not shown it by now is something else, and is not looked at again.
      const match = held.length > 1024 + fragment.length ? null : opening.exec(held)
      if (match === null) return ''
      held = held.slice(match[0].length)
      state = 'inside'
      return inside()
    },
    end() {
      if (state !== 'opening') return state === 'inside' ? unescape(held) : ''
      try {
        const value: unknown = JSON.parse(held)
        if (typeof value === 'object' && value !== null && 'input' in value && typeof value.input === 'string') {
          return value.input
        }
      } catch {
        // Not JSON at all: the model wrote the text itself, which is what the tool wants.
      }
      return held
    },
  }
}

function unescape(text: string): string {
  if (!text.includes('\\')) return text
  try {
    return JSON.parse(
      `"${text.replace(/\p{Cc}/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`,
    )
  } catch {
    return text
  }
}

/**
 * A call's JSON arguments as an object, for protocols that want one.
 *
 * Empty text is `{}`. What is no JSON object is wrapped (`broken` is then true), so that nothing is dropped.
 */
export function argumentsObject(json: string): { readonly value: Record<string, unknown>; readonly broken: boolean } {
  if (json.trim() === '') return { value: {}, broken: false }
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return { value: value as Record<string, unknown>, broken: false }
    }
    return { value: { value }, broken: true }
  } catch {
    return { value: { value: json }, broken: true }
  }
}

/** `parallel_tool_calls` where it says something: true is what happens anyway, and not every upstream knows the field. */
export function parallelCalls(request: InferenceRequest, hasTools: boolean, same: boolean): boolean | undefined {
  const parallel = request.parallelToolCalls
  if (same) return parallel ?? undefined
  return hasTools && parallel === false ? false : undefined
}
