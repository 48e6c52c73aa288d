import { GwError, isObject, type Json, parseJson } from '../base/mod.ts'
import { readToml, readVariables } from '../config/mod.ts'
import { Draft, type Migration, type MigrationContext } from './draft.ts'
import { fromLiteLlm } from './litellm.ts'
import { fromOpenLlmAuth } from './open-llm-auth.ts'
import { isLinks, readLinks } from './links.ts'
import { fromRouter, routerProvider } from './router.ts'
import { fromTokenPlumber } from './token-plumber.ts'

/** The systems whose files are read here. */
const foreignSystems = ['lr', 'tplumb', 'open-llm-auth', 'litellm'] as const

/** One of them. */
export type ForeignSystem = typeof foreignSystems[number]

/**
 * What a file of another gateway comes to here.
 *
 * @param name the file's name: `.lenv` files are `KEY: value`, others of Link.Assistant.Router `KEY=value`
 * @throws GwError `config.invalid` when the text is not what that system writes
 */
export async function readForeign(
  { system, text, name }: { system: ForeignSystem; text: string; name: string },
  context: MigrationContext,
): Promise<Migration> {
  const draft = new Draft(context)
  switch (system) {
    case 'lr': {
      const stored = routerRecords(text, name)
      if (stored) {
        for (const record of stored) await routerProvider(record, draft, context)
        break
      }
      // Each provider is a line of the same name, which a file of variables would take for a correction.
      const isRecord = (line: string) => /^\s*PROVIDER\s*:/.test(line)
      const lines = text.split(/\r\n|\r|\n/)
      const records = lines.filter(isRecord).map((line) => line.slice(line.indexOf(':') + 1).trim())
      const rest = lines.map((line) => isRecord(line) ? '' : line).join('\n')
      const { variables, faults } = readVariables(rest, /lenv$/i.test(name) ? ':' : '=')
      for (const { line, reason } of faults) draft.leave(`line ${line}`, reason)
      await fromRouter(variables, records, draft, context)
      break
    }
    case 'tplumb':
      fromTokenPlumber(toml(text, name), draft)
      break
    case 'open-llm-auth':
      fromOpenLlmAuth(tableOf(json(text, name), name), draft)
      break
    case 'litellm':
      fromLiteLlm(tableOf(await yaml(text, name), name), draft)
  }
  return draft.done()
}

/**
 * The provider records of Link.Assistant.Router in the forms that are no variables: a JSON object, a list of them,
 * `{"providers": […]}`, or its indented Links form. `null` for a file of variables.
 */
function routerRecords(text: string, name: string): readonly Json[] | null {
  if (/^\s*[[{]/.test(text.replace(/^\ufeff/, ''))) {
    const value = json(text, name)
    if (Array.isArray(value)) return value as Json[]
    const table = tableOf(value, name)
    return Array.isArray(table.providers) ? table.providers as Json[] : [table as Json]
  }
  return isLinks(text) ? readLinks(text, name) : null
}

function tableOf(value: unknown, name: string): Record<string, unknown> {
  if (isObject(value)) return value
  throw new GwError('config.invalid', `${name} does not hold a table of settings`)
}

// What a parser says quotes the text, and the text holds secrets: only the place is told.

function json(text: string, name: string): unknown {
  try {
    return parseJson(text)
  } catch {
    throw new GwError('config.invalid', `${name} is no JSON`)
  }
}

function toml(text: string, name: string): Record<string, unknown> {
  const read = readToml(text)
  if (read.ok) return read.value
  throw new GwError('config.invalid', `${name}:${read.line}:${read.column} is no TOML`)
}

async function yaml(text: string, name: string): Promise<unknown> {
  const { parse, YAMLParseError } = await import('yaml')
  try {
    // Aliases that multiply (`maxAliasCount`) end the reading instead of the memory.
    return parse(text, { maxAliasCount: 100, schema: 'core', prettyErrors: false })
  } catch (error) {
    const line = error instanceof YAMLParseError ? text.slice(0, error.pos[0]).split('\n').length : 1
    throw new GwError('config.invalid', `${name}:${line} is no YAML`)
  }
}
