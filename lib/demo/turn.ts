import { isObject, type Json } from '../base/mod.ts'
import type { Behaviour } from './models.ts'
import { argumentsFor, valueFor } from './schema.ts'
import { countTokens, pieces } from './tokens.ts'

/** A tool as offered by the caller. */
export interface Tool {
  readonly name: string
  /** The group it was offered in, where the protocol has groups. */
  readonly namespace: string | undefined
  /** `custom` takes free text instead of JSON. */
  readonly kind: 'function' | 'custom'
  readonly schema: Json | undefined
}

/** What was asked, whatever the protocol. */
export interface Ask {
  readonly model: string
  readonly behaviour: Behaviour
  /** The last thing the user said. */
  readonly text: string
  /** Images and files that came with it. */
  readonly attachments: number
  /** Tool results given since the user last spoke, oldest first. */
  readonly results: readonly string[]
  readonly tools: readonly Tool[]
  readonly choice: 'auto' | 'none' | 'required' | { readonly name: string }
  readonly parallel: boolean
  readonly inputTokens: number
  /** How many of them a cache would have held. */
  readonly cachedTokens: number
  /** How many were written to a cache. */
  readonly cacheWriteTokens: number
  readonly maxTokens: number | null
  readonly stop: readonly string[]
  /** Set when the answer must be JSON; with a schema or without. */
  readonly json: { readonly schema: Json | undefined } | null
  readonly think: boolean
}

/** One tool call of an answer. */
export interface Call {
  readonly tool: Tool
  /** JSON text, or free text for a custom tool. */
  readonly input: string
}

/** What is answered, whatever the protocol. */
export interface Turn {
  readonly reasoning: string | null
  /** The text in the pieces it is streamed in: one piece is one output token. */
  readonly text: readonly string[]
  readonly refused: boolean
  readonly calls: readonly Call[]
  readonly end: 'stop' | 'length' | 'calls' | 'stop-sequence' | 'refusal'
  readonly stopSequence: string | null
  readonly outputTokens: number
  /** Part of the output tokens. */
  readonly reasoningTokens: number
}

/** Decides the answer to `ask`. Pure: the same question gets the same answer. */
export function answer(ask: Ask): Turn {
  if (ask.behaviour.says === 'nothing') return finish(ask, null, '', [])
  if (ask.behaviour.says === 'refusal') return finish(ask, null, 'I would rather not answer that.', [], true)
  const reasoning = ask.think
    ? `The user said something of ${countTokens(ask.text)} tokens. A short answer will do.`
    : null
  const calls = callsFor(ask)
  if (calls.length > 0) return finish(ask, reasoning, '', calls)
  return finish(ask, reasoning, ask.json ? jsonAnswer(ask) : prose(ask), [])
}

function finish(ask: Ask, reasoning: string | null, text: string, calls: readonly Call[], refused = false): Turn {
  const thought = reasoning === null ? 0 : pieces(reasoning).length
  const spoken = calls.reduce((sum, call) => sum + pieces(call.input).length + 4, 0)
  const { kept, stopSequence } = cutAtStop(text, ask.stop)
  const all = pieces(kept)
  const room = ask.maxTokens === null ? Infinity : Math.max(0, ask.maxTokens - thought)
  // A call that does not fit is not made: half a call is worse than none.
  const fits = spoken <= room
  const made = fits ? calls : []
  const said = all.slice(0, Math.max(0, room))
  const cut = !fits || said.length < all.length
  return {
    reasoning,
    text: said,
    refused,
    calls: made,
    end: cut
      ? 'length'
      : made.length > 0
      ? 'calls'
      : refused
      ? 'refusal'
      : stopSequence === null
      ? 'stop'
      : 'stop-sequence',
    stopSequence: cut ? null : stopSequence,
    outputTokens: thought + said.length + (fits ? spoken : 0),
    reasoningTokens: thought,
  }
}

function cutAtStop(text: string, stop: readonly string[]): { kept: string; stopSequence: string | null } {
  let best: { at: number; sequence: string } | null = null
  for (const sequence of stop) {
    const at = sequence === '' ? -1 : text.indexOf(sequence)
    if (at >= 0 && (best === null || at < best.at)) best = { at, sequence }
  }
  return best === null
    ? { kept: text, stopSequence: null }
    : { kept: text.slice(0, best.at), stopSequence: best.sequence }
}

const asks = /\b(tools?|functions?|call|run|use|execute|invoke)\b/i
const asksForOne = /\b(call|use|invoke|run|try)\b[^.?!]*\b(tool|function)s?\b/i

/** Which tools to call now: the forced one, those the text names, the shell for a command in back-ticks, or the first. */
function callsFor(ask: Ask): readonly Call[] {
  if (ask.choice === 'none' || ask.tools.length === 0) return []
  const rounds = Math.min(Number(/\b(\d{1,3}) (?:times|steps|rounds)\b/i.exec(ask.text)?.[1] ?? 1), 100)
  if (ask.results.length >= rounds) return []
  const call = (tool: Tool): Call => ({ tool, input: inputFor(tool, ask) })
  if (typeof ask.choice === 'object') {
    const { name } = ask.choice
    return ask.tools.filter((tool) => tool.name === name).slice(0, 1).map(call)
  }
  const named = ask.tools.filter((tool) => namedBy(ask, tool.name))
  if (named.length > 0) return (ask.parallel && rounds === 1 ? named : named.slice(0, 1)).map(call)
  const shell = asks.test(ask.text) && ask.text.includes('`')
    ? ask.tools.find((tool) => /^(bash|shell|shell_command|exec_command)$/i.test(tool.name))
    : undefined
  if (shell) return [call(shell)]
  return ask.choice === 'required' || asksForOne.test(ask.text) ? [call(ask.tools[0]!)] : []
}

/** Words of tool names that say nothing about what they are for. */
const filler = new Set(['with', 'from', 'list', 'find', 'make', 'tool', 'call', 'current'])

/**
 * Whether the text is about this tool. `get_weather` is meant by its whole name, and where few tools are offered by the
 * word “weather” too; a tool whose name is a plain word, like `read`, only by a text that speaks of using it.
 */
function namedBy(ask: Ask, name: string): boolean {
  const words = name.split(/[^A-Za-z]+|(?<=[a-z])(?=[A-Z])/).filter((word) => word.length > 3)
  if (contains(ask.text, name)) return words.length > 1 || /[^A-Za-z]/.test(name) || asks.test(ask.text)
  if (ask.tools.length > 5) return false
  const said = ask.text.toLowerCase()
  return words.map((word) => word.toLowerCase()).some((word) => !filler.has(word) && contains(said, word))
}

/** Whether `text` holds `word` as a whole word. */
function contains(text: string, word: string): boolean {
  const inside = (c: string | undefined): boolean => c !== undefined && /\w/.test(c)
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    if (!inside(text[at - 1]) && !inside(text[at + word.length])) return true
  }
  return false
}

function inputFor(tool: Tool, ask: Ask): string {
  if (tool.kind === 'custom') return /`([^`]+)`/.exec(ask.text)?.[1] ?? ask.text.slice(0, 200)
  return JSON.stringify(argumentsFor(tool.schema, ask.text))
}

function jsonAnswer(ask: Ask): string {
  const schema = ask.json!.schema
  return JSON.stringify(
    isObject(schema) ? valueFor(schema as Json, 'answer', ask.text) : { answer: ask.text.slice(0, 200) },
  )
}

function prose(ask: Ask): string {
  if (ask.results.length > 0) {
    const last = ask.results.at(-1)!.trim()
    const count = ask.results.length === 1 ? 'The tool' : `The last of ${ask.results.length} tool results`
    return `Done. ${count} said: ${last.length > 400 ? `${last.slice(0, 400)}…` : last || '(nothing)'}`
  }
  const count = /\bcount (?:up )?to (\d{1,5})\b/i.exec(ask.text)?.[1]
  if (count !== undefined) return Array.from({ length: Number(count) }, (_, i) => String(i + 1)).join(' ')
  const heard = ask.text.trim()
  const echo = heard === ''
    ? 'You said nothing.'
    : `You said: “${heard.length > 300 ? `${heard.slice(0, 300)}…` : heard}”`
  const seen = ask.attachments === 0
    ? ''
    : ` I was given ${ask.attachments} attachment${ask.attachments === 1 ? '' : 's'}.`
  const who = ' I am the demo upstream of gw: no model ran, and nothing left this machine.'
  const more = ask.model === 'demo-large'
    ? '\n\nAsk me to count to 50, offer me a tool and tell me to use it, or try the models demo-slow, demo-error-429 ' +
      'and demo-cut to see how a failure looks. Once an account is added, the same request goes to a real model.'
    : ''
  return `${echo}${seen}${who}${more}`
}
