import type { JsonObject } from '../base/mod.ts'
import type { Ledger } from './ledger.ts'
import { toBase64 } from './reasoning.ts'
import type { CustomTool, MediaSource } from './request.ts'

/** What a URL or a base64 string means. A `data:` URL is its contents; a bare base64 string gets the given type. */
export function mediaOf(text: string, bareType?: string): MediaSource {
  if (text.startsWith('data:')) {
    const comma = text.indexOf(',')
    const head = text.slice(5, comma)
    if (comma > 0 && head.endsWith(';base64')) {
      return { kind: 'base64', mediaType: head.slice(0, -7) || 'text/plain', data: text.slice(comma + 1) }
    }
  } else if (bareType !== undefined && !/^https?:/i.test(text)) {
    return { kind: 'base64', mediaType: bareType, data: text }
  }
  return { kind: 'url', url: text }
}

/** A source as one URL: its own, or a `data:` URL. */
export function dataUrl(source: Exclude<MediaSource, { kind: 'file' }>): string {
  switch (source.kind) {
    case 'url':
      return source.url
    case 'base64':
      return `data:${source.mediaType};base64,${source.data}`
    case 'text':
      return `data:${source.mediaType};base64,${toBase64(source.text)}`
  }
}

/** Arguments of a custom tool behind a protocol that knows only JSON arguments. */
export const customToolSchema: JsonObject = {
  type: 'object',
  properties: { input: { type: 'string', description: 'The input of the tool, verbatim.' } },
  required: ['input'],
  additionalProperties: false,
}

/** A custom tool's description with its grammar, for upstreams that cannot enforce one. */
export function customToolDescription(tool: CustomTool): string {
  const about = tool.description ?? ''
  if (tool.format === null) return about
  const grammar = `The input must match this ${tool.format.syntax} grammar:\n${tool.format.definition}`
  return about === '' ? grammar : `${about}\n\n${grammar}`
}

/** Where the caller wrote the grammar of a custom tool. */
export function formatPath({ path }: CustomTool, { source }: Ledger): string {
  return source === 'openai-chat' ? `${path}.custom.format` : `${path}.format`
}

/** How the client's own tool search is declared when the client left it to the provider. */
export const toolSearchDefaults: { readonly description: string; readonly schema: JsonObject } = {
  description: 'Finds further tools by what they do. They can be called from the next turn on.',
  schema: {
    type: 'object',
    properties: {
      query: { type: 'string', description: 'What the tool should do.' },
      limit: { type: 'integer', description: 'The most tools to find.' },
    },
    required: ['query'],
  },
}
