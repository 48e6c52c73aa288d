import { type Clock, isObject, type JsonObject, type Logger } from '../base/mod.ts'
import type { Storage } from '../storage/mod.ts'

/** What is known of a foreign tool's text. */
export interface ToolText {
  /** Changes with name, description, schema or annotations. */
  readonly hash: string
  /** Whether it was changed by its server after it was first seen, and nobody has accepted that yet. */
  readonly changed: boolean
}

/** The memory of what foreign tools said of themselves: their words are untrusted and may change under us. */
export interface ToolTexts {
  /** Notes a list of tools as a server gave it and returns the tools as they may be shown, in the same order. */
  note(server: string, tools: readonly JsonObject[]): JsonObject[]
  get(server: string, tool: string): ToolText | undefined
  /** A person has approved the changed text. */
  accept(server: string, tool: string): void
}

const maxDescriptionChars = 32 * 1024

/** Characters that hide or reorder text: bidirectional controls, zero-width marks and the invisible tag block. */
const hidden = /[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u{e0000}-\u{e007f}]/gu

/** {@link ToolTexts} that survive a restart. */
export async function openToolTexts(
  { storage, clock, logger }: { storage: Storage; clock: Clock; logger: Logger },
): Promise<ToolTexts> {
  const known = new Map<string, ToolText>()
  for (
    const row of await storage.db.selectFrom('mcp_tools').select(['server', 'tool', 'description_hash', 'changed_ms'])
      .execute()
  ) {
    known.set(`${row.server}\n${row.tool}`, { hash: row.description_hash, changed: row.changed_ms !== null })
  }

  return {
    note(server, tools) {
      return tools.map((tool) => {
        const shown = clean(tool)
        const name = typeof tool.name === 'string' ? tool.name : ''
        const key = `${server}\n${name}`
        const hash = hashText(JSON.stringify(shown))
        const before = known.get(key)
        if (before?.hash === hash) return shown
        const now = clock.now()
        const description = typeof shown.description === 'string' ? shown.description.slice(0, 2_000) : ''
        if (before) {
          logger.log('warn', 'mcp.description_changed', { server, tool: name, description })
          storage.batch.queue(
            'update mcp_tools set description_hash = ?, description = ?, changed_ms = ? where server = ? and tool = ?',
            [hash, description, now, server, name],
          )
        } else {
          storage.batch.queue(
            'insert or replace into mcp_tools (server, tool, description_hash, description, first_seen_ms, changed_ms) values (?, ?, ?, ?, ?, null)',
            [server, name, hash, description, now],
          )
        }
        known.set(key, { hash, changed: before !== undefined })
        return shown
      })
    },
    get: (server, tool) => known.get(`${server}\n${tool}`),
    accept(server, tool) {
      const text = known.get(`${server}\n${tool}`)
      if (!text?.changed) return
      known.set(`${server}\n${tool}`, { ...text, changed: false })
      storage.batch.queue('update mcp_tools set changed_ms = null where server = ? and tool = ?', [server, tool])
    },
  }
}

/** A tool without hidden characters and with its description bounded; the same object when nothing had to go. */
function clean(tool: JsonObject): JsonObject {
  const { description } = tool
  if (typeof description !== 'string') return tool
  const text = description.replace(hidden, '').slice(0, maxDescriptionChars)
  return text === description ? tool : { ...tool, description: text }
}

/** 64-bit FNV-1a in two halves: this tells versions apart, it proves nothing. */
function hashText(text: string): string {
  let a = 0x811c9dc5
  let b = 0xcbf29ce4
  for (let i = 0; i < text.length; i++) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x01000193)
    b = Math.imul(b ^ text.charCodeAt(i), 0x01000197)
  }
  return (a >>> 0).toString(16).padStart(8, '0') + (b >>> 0).toString(16).padStart(8, '0')
}

/** The tools of a `tools/list` result, or none. */
export function toolsOf(result: unknown): JsonObject[] {
  const tools = isObject(result) ? result.tools : undefined
  return Array.isArray(tools) ? tools.filter((tool): tool is JsonObject => isObject(tool)) : []
}
