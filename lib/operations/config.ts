import { z } from 'zod'
import { GwError, type Json, nearest } from '../base/mod.ts'
import { configJsonSchema, fromText, type LoadedConfig, redactConfig, settings } from '../config/mod.ts'
import { asked, configFile, shownAt, valueAt } from './config-file.ts'
import { anyJson, area, nothing, operation } from './operation.ts'

const key = z.string().min(1).max(300).regex(/^[^.\s][^\s]*$/, 'must be a dotted key such as server.port')
  .describe('dotted key, such as server.port')

/** `a."b.c".d` and `a.b` as steps. */
function steps(text: string): string[] {
  const out = [...text.matchAll(/"((?:[^"\\]|\\.)*)"|[^."]+/g)].map((match) => match[1] ?? match[0])
  if (out.length === 0 || out.includes('')) {
    throw new GwError('request.invalid', `${text} is no dotted key`, { param: 'key' })
  }
  return out
}

function rows(loaded: LoadedConfig, all: boolean) {
  const rowOf = rowsOf(loaded)
  const paths = [...new Set([...(all ? settings().map(({ path }) => path) : []), ...loaded.origins.keys()])].sort()
  return paths.map(rowOf)
}

/** Tells of a key what it is set to and where. What is secret is known by where it stands, so the whole is redacted. */
function rowsOf(loaded: LoadedConfig) {
  const byPath = new Map(settings().map((setting) => [setting.path, setting]))
  const shown = redactConfig(loaded.config)
  return (path: string) => {
    const setting = byPath.get(path)
    const origin = loaded.origins.get(path)
    return {
      key: path,
      value: valueAt(shown, steps(path)) ?? null,
      from: origin?.from ?? 'default',
      layer: origin?.layer ?? 'default',
      variable: setting?.variable ?? null,
      description: setting?.description ?? null,
    }
  }
}

const row = z.object({
  key: z.string(),
  value: anyJson,
  from: z.string().describe('where it was written'),
  layer: z.enum(['flag', 'environment', '.lenv', '.env', 'file', 'default']),
  variable: z.string().nullable(),
  description: z.string().nullable(),
})

const written = z.object({ path: z.string(), key: z.string(), changed: z.boolean() })

/** The configuration: seen, checked and changed. */
export const config = area({
  ...configFile,

  path: operation({
    summary: 'Show where the config file is',
    scope: 'admin',
    effect: 'reads',
    input: nothing,
    output: z.object({ path: z.string(), exists: z.boolean(), home: z.string(), database: z.string() }),
    cli: { print: 'path' },
  }).query(({ ctx: { rooms } }) => {
    const { path, exists } = rooms.config.current()
    return { path, exists, home: rooms.system.paths.data, database: rooms.system.paths.database }
  }),

  show: operation({
    summary: 'Show the configuration in force, without secrets, and where each value comes from',
    scope: 'admin',
    effect: 'reads',
    mcp: true,
    input: z.object({ all: z.boolean().default(false).describe('include what stands at its default') }).strict(),
    output: z.object({ path: z.string(), data: z.array(row), warnings: z.array(z.string()) }),
    cli: { columns: ['key', 'value', 'from'] },
  }).query(({ ctx: { rooms }, input }) => {
    const loaded = rooms.config.current()
    return { path: loaded.path, data: rows(loaded, input.all), warnings: [...loaded.warnings] }
  }),

  get: operation({
    summary: 'Show one key of the configuration in force, without secrets, and where its value comes from',
    description: 'Of a table it shows the whole; its keys have places of their own: gw config show.',
    scope: 'admin',
    effect: 'reads',
    mcp: true,
    input: z.object({ key: key.meta({ positional: 0 }) }).strict(),
    output: row.extend({
      from: row.shape.from.nullable().describe('where it was written; null for a table'),
      layer: row.shape.layer.nullable(),
    }),
    cli: { print: 'value', example: 'gw config get server.port' },
  }).query(({ ctx: { rooms }, input }) => {
    const loaded = rooms.config.current()
    const known = settings().map(({ path }) => path)
    const found = rowsOf(loaded)(input.key)
    if (known.includes(input.key) || loaded.origins.has(input.key)) return found
    // A default within a table that its owner named has no place of its own; neither has a table.
    if (found.value !== null) {
      return typeof found.value === 'object' && !Array.isArray(found.value)
        ? { ...found, from: null, layer: null }
        : found
    }
    const [meant] = nearest(input.key, [...known, ...loaded.origins.keys()], 1)
    throw new GwError('request.not_found', `there is no setting ${input.key}`, {
      hint: meant === undefined ? 'gw config show --all lists them' : `did you mean ${meant}?`,
      param: 'key',
    })
  }),

  validate: operation({
    summary: 'Read the configuration anew and say what is wrong with it',
    scope: 'admin',
    effect: 'reads',
    mcp: true,
    input: nothing,
    output: z.object({
      ok: z.boolean(),
      path: z.string(),
      problem: z.string().nullable(),
      warnings: z.array(z.string()),
    }),
  }).query(async ({ ctx: { rooms } }) => {
    await rooms.config.reload()
    const { path, warnings } = rooms.config.current()
    const problem = rooms.config.problem()
    return { ok: problem === null, path, problem: problem?.message ?? null, warnings: [...warnings] }
  }),

  set: operation({
    summary: 'Change one key of the config file, keeping its comments',
    scope: 'admin',
    effect: 'mutates',
    idempotent: true,
    input: z.object({
      key: key.meta({ positional: 0 }),
      value: anyJson.meta({ positional: 1 }).describe('JSON, TOML, or a plain text'),
    }).strict(),
    output: written,
    before: ({ rooms }, input) => Promise.resolve(shownNow(rooms.config.current(), String(input.key))),
    hide: (input) => ({ ...input, value: shownAt(steps(String(input.key)), (input.value ?? null) as Json) }),
    cli: { example: 'gw config set server.port 8090' },
  }).mutation(async ({ ctx: { rooms }, input }) => {
    const setting = settings().find(({ path }) => path === input.key)
    const value = setting && typeof input.value === 'string' ? fromText(setting.type, input.value) : input.value
    const { path, before, after } = await asked(rooms.config.write([{ path: steps(input.key), value }]))
    return { path, key: input.key, changed: before !== after }
  }),

  unset: operation({
    summary: 'Take a key, or a whole table, out of the config file',
    scope: 'admin',
    effect: 'mutates',
    destructive: true,
    idempotent: true,
    input: z.object({ key: key.meta({ positional: 0 }) }).strict(),
    output: written,
    before: ({ rooms }, input) => Promise.resolve(shownNow(rooms.config.current(), String(input.key))),
  }).mutation(async ({ ctx: { rooms }, input }) => {
    const { path, before, after } = await asked(rooms.config.write([{ path: steps(input.key), value: undefined }]))
    return { path, key: input.key, changed: before !== after }
  }),

  schema: operation({
    summary: 'Print the JSON Schema of the config file',
    scope: 'read',
    effect: 'reads',
    input: nothing,
    output: z.object({ schema: anyJson }),
    cli: { print: 'schema' },
  }).query(async () => ({ schema: await configJsonSchema() })),
})

const shownNow = (loaded: LoadedConfig, path: string): Json => valueAt(redactConfig(loaded.config), steps(path)) ?? null
