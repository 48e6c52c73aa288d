import { Argument, type Command, Option } from 'commander'
import {
  type FieldType,
  fieldType,
  GwError,
  isGwError,
  type Json,
  type JsonObject,
  type TypedSchema,
} from '../../lib/base/mod.ts'
import type { OperationDescription } from '../../lib/operations/mod.ts'
import type { CliIo } from './io.ts'

/** The part of a JSON Schema that a field of an input uses. */
interface FieldSchema extends TypedSchema {
  readonly enum?: readonly string[]
  readonly items?: TypedSchema
  readonly default?: Json
  readonly description?: string
  /** Place on the command line instead of a flag. */
  readonly positional?: number
  /** Read from standard input or typed, never an argument. */
  readonly secret?: boolean
}

/** One field of an operation's input, as the command line takes it. */
interface Field {
  readonly name: string
  readonly flag: string
  readonly type: FieldType
  readonly schema: FieldSchema
  readonly required: boolean
}

/** `ttl_hours`, `undocumentedUse` → `ttl-hours`, `undocumented-use` */
export const kebab = (name: string): string => name.replaceAll('_', '-').replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)

function fieldsOf(operation: OperationDescription): Field[] {
  const required = new Set(operation.input.required as readonly string[] | undefined)
  return Object.entries(operation.input.properties as Record<string, FieldSchema> | undefined ?? {})
    .map(([name, schema]) => ({
      name,
      flag: `--${kebab(name)}`,
      type: fieldType(schema),
      schema,
      required: required.has(name),
    }))
}

/** Gives a command the arguments and options of an operation. */
export function addFields(command: Command, operation: OperationDescription): void {
  const fields = fieldsOf(operation)
  const placed = fields.filter((field) => field.schema.positional !== undefined)
    .sort((a, b) => a.schema.positional! - b.schema.positional!)
  for (const field of placed) {
    const argument = new Argument(
      field.required ? `<${field.name}>` : `[${field.name}]`,
      field.schema.description ?? '',
    )
    command.addArgument(field.schema.enum ? argument.choices([...field.schema.enum]) : argument)
  }
  for (const field of fields) {
    if (field.schema.positional !== undefined) continue
    const short = operation.cli?.short?.[field.name]
    const prefix = short === undefined ? '' : `-${short}, `
    const { description = '' } = field.schema
    if (field.schema.secret) {
      command.option(`${field.flag}-stdin`, `${description}: read it from standard input, or type it`)
    } else if (field.type === 'boolean') {
      const flag = field.schema.default === true ? `--no-${kebab(field.name)}` : field.flag
      command.option(prefix + flag, description)
    } else {
      const value = field.type === 'list' ? 'list' : field.type === 'table' ? 'json' : valueName(field)
      const option = new Option(`${prefix}${field.flag} <${value}>`, describe(field, description))
      if (field.schema.enum) option.choices([...field.schema.enum])
      if (field.type === 'list') option.argParser((text: string, before?: string[]) => [...(before ?? []), text])
      if (field.required) option.makeOptionMandatory()
      command.addOption(option)
    }
  }
}

const valueName = (field: Field): string => field.schema.enum ? field.schema.enum.join('|') : field.type

function describe(field: Field, description: string): string {
  const fallback = field.schema.default
  const shown = fallback === undefined || fallback === '' || fallback === null
    ? ''
    : `default ${JSON.stringify(fallback)}`
  const isObjects = field.schema.items?.type === 'object'
  const list = field.type === 'list' ? isObjects ? 'a JSON list' : 'comma list, may be repeated' : ''
  return [description, list, shown].filter(Boolean).join('; ')
}

/**
 * The options of a command. A command above it that has a flag of the same name takes the flag wherever it stands, so
 * those are looked at too; the program's own are not.
 */
export function givenTo(command: Command): Record<string, unknown> {
  const above = command.parent
  if (!above?.parent) return command.opts()
  const mine = Object.entries(command.opts() as Record<string, unknown>).filter(([name, value]) =>
    value !== undefined && !(name in above.opts() && command.getOptionValueSource(name) === 'default')
  )
  return { ...givenTo(above), ...Object.fromEntries(mine) }
}

/** An error about a field, in the words of who typed a flag: `--max-budget: expected number`. */
export function inFlags(operation: OperationDescription, error: unknown): unknown {
  if (!isGwError(error) || error.code !== 'request.invalid' || !error.param) return error
  const param = error.param.split('.')[0]!
  const field = fieldsOf(operation).find(({ name }) => name === param)
  if (!field || !/^[.:]/.test(error.message.slice(param.length)) || !error.message.startsWith(param)) return error
  const typed = field.schema.positional === undefined ? `${field.flag}${field.schema.secret ? '-stdin' : ''}` : param
  const message = `${typed}${error.message.slice(error.message.indexOf(':'))}`
  const { code, hint, param: at, details } = error
  return new GwError(code, message, { hint: hint ?? null, cause: error, param: at!, ...(details ? { details } : {}) })
}

/** The input of an operation from what commander parsed, secrets asked for where they are needed. */
export async function inputFrom(
  { operation, command, io }: { operation: OperationDescription; command: Command; io: CliIo },
): Promise<JsonObject> {
  // Loaded here, so that help and completion do without the configuration.
  const { fromText } = await import('../../lib/config/mod.ts')
  const valueOf = (field: Field, text: string): Json => {
    // A field that takes any JSON: a number is a number, a plain word a text.
    if (field.type !== 'string') return fromText(field.type, text)
    return field.schema.type === undefined && field.schema.anyOf === undefined ? fromText('table', text) : text
  }
  const listOf = (text: string): Json[] => {
    const list = fromText('list', text)
    return Array.isArray(list) ? [...list] : [list]
  }
  const given = givenTo(command) as Record<string, Json | undefined>
  const out: Record<string, Json> = {}
  for (const field of fieldsOf(operation)) {
    const { positional, secret } = field.schema
    if (positional !== undefined) {
      const text = command.processedArgs[positional] as string | undefined
      if (text !== undefined) out[field.name] = valueOf(field, text)
    } else if (secret) {
      const unless = operation.cli?.secretUnless
      const needed = field.required || (unless !== undefined && given[camel(unless)] === undefined)
      if (needed || given[`${camel(field.name)}Stdin`] === true) out[field.name] = await askSecret(io, field)
    } else {
      const value = given[camel(field.name)]
      const untouched = field.type === 'boolean' && command.getOptionValueSource(camel(field.name)) === 'default'
      if (value === undefined || untouched) continue
      if (Array.isArray(value)) out[field.name] = (value as string[]).flatMap(listOf)
      else out[field.name] = typeof value === 'string' && field.type !== 'string' ? fromText(field.type, value) : value
    }
  }
  return out
}

const camel = (name: string): string => kebab(name).replace(/-([a-z0-9])/g, (_, c: string) => c.toUpperCase())

async function askSecret(io: CliIo, field: Field): Promise<string> {
  const text = io.interactive ? await io.askSecret(`${field.name}?`) : await io.readInput()
  const secret = text.replace(/\r?\n$/, '')
  if (secret === '') {
    throw new GwError('usage.invalid', `no ${field.name} on standard input`, {
      hint: `printf %s "$KEY" | gw …, or name where it comes from with --from`,
      param: field.name,
    })
  }
  if (/[\r\n]/.test(secret)) throw new GwError('usage.invalid', `the ${field.name} on standard input has several lines`)
  return secret
}
