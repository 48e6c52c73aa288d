import type { JsonObject } from '../base/mod.ts'
import type { ProtocolId } from './id.ts'
import type { Lose } from './codec.ts'

type Body = Record<string, JsonObject[string]>

interface QuirkRow {
  readonly protocols: readonly ProtocolId[]
  /** What it means, for people. */
  readonly about: string
  /** Fields without which {@link QuirkRow.apply} changes nothing; absent is none of that kind. */
  readonly fields?: readonly string[]
  /** Edits an upstream's body. Absent where the encoder asks for the quirk itself. */
  readonly apply?: (body: Body, lose: Lose) => void
}

const drop = (fields: readonly string[], why: string) => (body: Body, lose: Lose): void => {
  for (const field of fields) {
    if (body[field] === undefined) continue
    delete body[field]
    lose(field, why)
  }
}

/** Words about the end user. */
const endUserFields = ['user', 'safety_identifier', 'metadata']
/** What only OpenAI itself knows of its own protocol. */
const ownFields = [
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'safety_identifier',
  'metadata',
]
  .concat(['store', 'service_tier', 'verbosity', 'moderation', 'prediction'])

/**
 * Named properties of a provider's dialect. Data rows name them; each is implemented here or in its protocol's encoder,
 * and nowhere else.
 */
const quirks = {
  'max-tokens-legacy': {
    protocols: ['openai-chat'],
    about: 'knows max_tokens and not max_completion_tokens',
    fields: ['max_completion_tokens'],
    apply(body) {
      if (body.max_completion_tokens === undefined) return
      body.max_tokens = body.max_completion_tokens
      delete body.max_completion_tokens
    },
  },
  'no-store': {
    protocols: ['openai-chat', 'openai-responses'],
    about: 'refuses the field store',
    apply(body, lose) {
      if (body.store === true) lose('store', 'this provider keeps nothing')
      delete body.store
    },
  },
  'no-stream-options': {
    protocols: ['openai-chat'],
    about: 'refuses stream_options',
    fields: ['stream_options'],
    apply(body) {
      delete body.stream_options
    },
  },
  'no-parallel-tool-calls': {
    protocols: ['openai-chat', 'openai-responses'],
    about: 'refuses parallel_tool_calls',
    fields: ['parallel_tool_calls'],
    apply(body, lose) {
      if (body.parallel_tool_calls === false) lose('parallel_tool_calls', 'this provider cannot be told')
      delete body.parallel_tool_calls
    },
  },
  'no-reasoning-effort': {
    protocols: ['openai-chat'],
    about: 'refuses reasoning_effort',
    fields: ['reasoning_effort'],
    apply: drop(['reasoning_effort'], 'this provider takes no effort'),
  },
  'no-user': {
    protocols: ['openai-chat', 'openai-responses'],
    about: 'refuses user, safety_identifier and metadata',
    fields: endUserFields,
    apply: drop(endUserFields, 'this provider takes no word about the end user'),
  },
  'plain-chat': {
    protocols: ['openai-chat'],
    about: 'refuses the fields that only OpenAI itself knows',
    fields: ownFields,
    apply: drop(ownFields, 'this provider takes no such field'),
  },
  'reasoning-content': {
    protocols: ['openai-chat'],
    about: 'wants the reasoning of earlier turns back, in reasoning_content',
  },
  'reasoning-field': {
    protocols: ['openai-chat'],
    about: 'with reasoning-content: the field is called reasoning',
  },
  'reasoning-none': {
    protocols: ['openai-chat', 'openai-responses'],
    about: 'takes the effort none',
  },
  'custom-tools': {
    protocols: ['openai-chat'],
    about: 'takes custom and grammar tools',
  },
  'cache-control': {
    protocols: ['openai-chat'],
    about: 'takes cache_control on parts and tools',
  },
  'web-search': {
    protocols: ['openai-responses', 'anthropic-messages', 'gemini'],
    about: 'searches the web itself: the search tool of another protocol becomes its own',
  },
  'chat-web-search': {
    protocols: ['openai-chat'],
    about: 'takes web_search_options: the search tool of another protocol becomes that',
  },
  'cache-breakpoints': {
    protocols: ['openai-responses'],
    about: 'takes prompt_cache_breakpoint on parts',
  },
  'top-k': {
    protocols: ['openai-chat'],
    about: 'takes top_k',
  },
  'codex-backend': {
    protocols: ['openai-responses'],
    about: 'streams only, stores nothing, wants instructions and a list of input, takes no sampling',
    apply(body, lose) {
      drop(
        [
          'max_output_tokens',
          'temperature',
          'top_p',
          'top_logprobs',
          'truncation',
          'user',
          'metadata',
          'safety_identifier',
        ],
        'this provider takes no such field',
      )(body, lose)
      drop(['previous_response_id', 'prompt_cache_retention', 'background'], 'this provider stores nothing')(body, lose)
      if (body.store === true) lose('store', 'this provider keeps nothing')
      body.store = false
      body.stream = true
      if (typeof body.input === 'string') {
        body.input = [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: body.input }] }]
      }
      if (typeof body.instructions !== 'string' || body.instructions === '') body.instructions = hoist(body)
      // System messages are refused; developer messages are the same thing.
      body.input =
        (body.input as JsonObject[] | undefined)?.map((item) =>
          item.role === 'system' ? { ...item, role: 'developer' } : item
        ) ?? []
      const include = Array.isArray(body.include) ? body.include : []
      if (!include.includes('reasoning.encrypted_content')) body.include = [...include, 'reasoning.encrypted_content']
    },
  },
} as const satisfies Record<string, QuirkRow>

/** A name from the table above. */
export type Quirk = keyof typeof quirks

/** All names, for checks of data rows. */
export const quirkNames: readonly Quirk[] = Object.keys(quirks) as Quirk[]

/** All of them, for people. @internal */
export const quirkRows: readonly {
  readonly name: Quirk
  readonly protocols: readonly ProtocolId[]
  readonly about: string
}[] = quirkNames.map((name) => ({ name, protocols: quirks[name].protocols, about: quirks[name].about }))

/** Whether {@link applyQuirks} may change a body of which only its top-level fields are known. */
export function mayEdit(protocol: ProtocolId, names: Iterable<string>, has: (field: string) => boolean): boolean {
  for (const name of names) {
    const row: QuirkRow | undefined = Object.hasOwn(quirks, name) ? quirks[name as Quirk] : undefined
    if (row?.apply === undefined || !row.protocols.includes(protocol)) continue
    if (row.fields === undefined || row.fields.some(has)) return true
  }
  return false
}

/** The system text at the start of the input, taken out of it; the least that counts as instructions if there is none. */
function hoist(body: Body): string {
  const input = body.input as JsonObject[] | undefined ?? []
  const first = input[0]
  if (first?.role !== 'system' && first?.role !== 'developer') return ' '
  const text = typeof first.content === 'string'
    ? first.content
    : (first.content as JsonObject[] | undefined ?? []).map((part) => String(part.text ?? '')).join('\n\n')
  if (text === '') return ' '
  body.input = input.slice(1)
  return text
}

/** Edits an upstream's body for the dialects that its provider's row names; unknown names are another room's. */
export function applyQuirks(protocol: ProtocolId, body: JsonObject, names: Iterable<string>, lose: Lose): JsonObject {
  const out: Body = { ...body }
  for (const name of names) {
    const row: QuirkRow | undefined = Object.hasOwn(quirks, name) ? quirks[name as Quirk] : undefined
    if (row?.protocols.includes(protocol)) row.apply?.(out, lose)
  }
  return out
}
