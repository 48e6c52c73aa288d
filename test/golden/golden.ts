import { isGwError, type Json, type JsonObject } from '../../lib/base/mod.ts'
import { providers } from '../../lib/catalog/providers.ts'
import { type Loss, type ProtocolId, translator } from '../../lib/protocol/mod.ts'
import { quirkRows } from '../../lib/protocol/quirks.ts'
import { replies } from './replies.ts'
import { requests } from './requests.ts'

/** The protocols of the matrix. */
export const protocols = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini'] as const
type Near = (typeof protocols)[number]

/** One file of the matrix. */
export interface GoldenFile {
  /** Below test/fixtures. */
  readonly path: string
  readonly text: string
}

/** One thing that is not carried, with its reason. */
export interface LossRow {
  readonly from: ProtocolId
  readonly to: ProtocolId
  /** JSON path, with `[]` for any place in a list. */
  readonly path: string
  readonly reason: string
}

const options = { id: '0golden', now: 1_700_000_000_000 }
const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
const question: Readonly<Record<Near, JsonObject>> = {
  'openai-chat': requests['openai-chat'].tools!,
  'openai-responses': requests['openai-responses'].tools!,
  'anthropic-messages': requests['anthropic-messages'].tools!,
  // Asked to show its thoughts, because it would not otherwise.
  'gemini': { ...requests.gemini.tools!, generationConfig: { thinkingConfig: { includeThoughts: true } } },
}

/** What becomes of a request: the upstream's body and the losses, or the refusal. */
function asked(from: Near, to: Near, body: JsonObject): { readonly losses: readonly Loss[]; readonly value: unknown } {
  try {
    const { body: sent, losses } = translator(from, to, options).request(body, { model: 'm-upstream' })
    return { losses, value: { body: sent, losses } }
  } catch (error) {
    if (!isGwError(error)) throw error
    return { losses: [], value: { refused: { code: error.code, param: error.param ?? null } } }
  }
}

/** The question to an answer: who gets several of them has asked for as many. */
function questionFor(to: Near, { choices, candidates }: JsonObject): JsonObject {
  const several = [choices, candidates].find((list) => Array.isArray(list) && list.length > 1) as Json[] | undefined
  if (several === undefined) return question[to]
  if (to === 'openai-chat') return { ...question[to], n: several.length }
  if (to !== 'gemini') return question[to]
  const config = question[to].generationConfig as JsonObject
  return { ...question[to], generationConfig: { ...config, candidateCount: several.length } }
}

/** What becomes of an answer: the caller's body, its stream, and the losses. */
function answered(from: Near, to: Near, reply: JsonObject) {
  const whole = translator(to, from, options)
  whole.request(questionFor(to, reply), { model: 'm-upstream' })
  const { body, losses, usage, finish, failure } = whole.response(reply)
  const streamed = translator(to, from, options)
  streamed.request({ ...questionFor(to, reply), stream: true }, { model: 'm-upstream' })
  const stream = streamed.streamOf(reply)
  const text = stream.end().map((bytes) => new TextDecoder().decode(bytes)).join('')
  return { losses, text, value: { body, losses, usage, finish, failure: failure?.kind ?? null } }
}

/** The whole matrix as files, the number of its cases, and every loss in it. */
export function matrix(): { files: GoldenFile[]; cases: number; losses: LossRow[] } {
  const files: GoldenFile[] = []
  const rows = new Map<string, LossRow>()
  let cases = 0
  const note = (from: ProtocolId, to: ProtocolId, losses: readonly Loss[]): void => {
    for (const { path, reason } of losses) {
      const row = { from, to, path: path.replace(/\[\d+\]/g, '[]'), reason }
      rows.set(JSON.stringify(row), row)
    }
  }
  for (const from of protocols) {
    for (const [name, body] of Object.entries(requests[from])) {
      files.push({ path: `${from}/request-${name}/request.json`, text: json(body) })
      for (const to of protocols) {
        const { losses, value } = asked(from, to, body)
        note(from, to, losses)
        files.push({ path: `${from}/request-${name}/to-${to}.json`, text: json(value) })
        cases++
      }
    }
    for (const [name, reply] of Object.entries(replies[from])) {
      files.push({ path: `${from}/reply-${name}/reply.json`, text: json(reply) })
      for (const to of protocols) {
        const { losses, text, value } = answered(from, to, reply)
        // Within a protocol answers pass as they are, unless a caller who asked for none gets a stream put together.
        if (from !== to) note(from, to, losses)
        files.push({ path: `${from}/reply-${name}/for-${to}.json`, text: json(value) })
        files.push({ path: `${from}/reply-${name}/for-${to}.sse`, text })
        cases += 2
      }
    }
  }
  return { files, cases, losses: [...rows.values()] }
}

/** The named rules for providers whose dialect is odd, and whose rows name them. */
function dialects(): string {
  const lines = quirkRows.map(({ name, protocols, about }) => {
    const named = providers.filter(({ quirks }) => quirks?.includes(name)).map(({ id }) => id)
    return `| \`${name}\` | ${protocols.join(', ')} | ${about} | ${named.join(', ')} |`
  })
  return `## Dialects

Providers that speak a protocol in their own way have the names of what is different in their entry, and any entry can be
given more: \`providers.<id>.quirks = ["max-tokens-legacy"]\` in the config file. What such a rule leaves out is a loss
like any other. Searching the web costs money and may have to be switched on first, so only providers that search for every
account carry \`web-search\`; Anthropic's console has a switch for it, and so its entry does not.

| Name | Protocol | The provider … | Named by |
| --- | --- | --- | --- |
${lines.join('\n')}
`
}

/** `docs/translation.md`: what is not carried between which protocols, and why. */
export function lossPage(losses: readonly LossRow[]): string {
  const pairs = new Map<string, LossRow[]>()
  for (const row of losses) {
    const pair = `${row.from} → ${row.to}`
    pairs.set(pair, [...pairs.get(pair) ?? [], row])
  }
  const tables = [...pairs].toSorted(([a], [b]) => a < b ? -1 : 1).map(([pair, rows]) => {
    const lines = rows.toSorted((a, b) => a.path < b.path ? -1 : 1).map(({ path, reason }) =>
      `| \`${path}\` | ${reason} |`
    )
    return `## ${pair}\n\n| Field | Why it is not carried |\n| --- | --- |\n${lines.join('\n')}\n`
  })
  return `# What translation cannot carry

gw lists every such field of a request or an answer by its JSON path in the header \`x-gw-losses\` and in the request log.
With \`x-gw-strict: true\` a request that would lose something is refused with 400 and the path instead.

A value that says what would happen without it is no loss, and of an answer what gw says of its own: its id, its time, its
model, its maker's mark, and what it repeats of the request.

This page is made from the golden cases in \`test/fixtures\` by \`bun test/golden/write.ts\`; a test keeps it true.

${tables.join('\n')}
${dialects()}`
}
