import { join } from 'node:path'
import { z } from 'zod'
import type { AccountChange } from '../accounts/mod.ts'
import { GwError, isGwError, isObject, type Json, type JsonObject } from '../base/mod.ts'
import {
  applying,
  type ConfigEdit,
  type ConfigWritten,
  documentEdits,
  etagOf,
  openSnapshots,
  readToml,
  redactConfig,
  restoreSecrets,
  type TextChange,
  type WriteOptions,
} from '../config/mod.ts'
import { changeable, recordOf, view } from './accounts.ts'
import type { OperationRooms } from './context.ts'
import { anyJson, nothing, operation } from './operation.ts'

/** The config file as a whole, and the copies of it that were put aside. */

const document = z.record(z.string(), anyJson)
const etag = z.string().min(1).max(128)
const ifMatch = etag.optional().describe('refuse unless the file still has this etag')
const dryRun = z.boolean().default(false).describe('say what would change, and change nothing')
const snapshot = z.string().min(1).max(64).describe('name of a snapshot: letters, digits, dots, dashes, underscores')

const changed = z.object({
  path: z.string(),
  etag,
  changed: z.boolean(),
  keys: z.array(z.string()).describe('keys that differ from before'),
})

/** What a config text says, without environment and flags. @throws GwError `config.invalid` */
function documentOf(text: string): JsonObject {
  const read = readToml(text)
  if (read.ok) return read.value
  throw new GwError('config.invalid', `line ${read.line}, column ${read.column}: ${read.reason}`)
}

/** What a change of the config came to, or the caller's mistake in it: the file that was there is not to blame. */
export async function asked<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!isGwError(error) || error.code !== 'config.invalid') throw error
    // The lines are those of a text that nobody has written.
    const problems = (error.details?.problems ?? []) as readonly { key: string; reason: string }[]
    const said = problems.map(({ key, reason }) => key === '' ? reason : `${key}: ${reason}`).join('\n')
    const [first] = problems
    throw new GwError('config.rejected', said || error.message, {
      hint: 'nothing was changed',
      ...(first?.key ? { param: first.key } : {}),
      ...(error.details ? { details: error.details } : {}),
      cause: error,
    })
  }
}

const keyOf = (path: readonly string[]): string =>
  path.map((step) => /^[A-Za-z0-9_-]+$/.test(step) ? step : JSON.stringify(step)).join('.')

const report = ({ path, before, after }: Pick<ConfigWritten, 'path' | 'before' | 'after'>) => ({
  path,
  etag: etagOf(after === '' && before === '' ? null : after),
  changed: before !== after,
  keys: documentEdits(documentOf(before), documentOf(after)).map((edit) => keyOf(edit.path)),
})

async function change(
  rooms: OperationRooms,
  how: readonly ConfigEdit[] | TextChange,
  { etag, dry_run }: { etag?: string | undefined; dry_run: boolean },
  accounts: readonly AccountChange[] = [],
) {
  const run = dry_run ? rooms.config.check : rooms.config.write
  const stored: WriteOptions['with'] = (tx, { loaded }) =>
    rooms.accounts.change(tx, accounts, Object.keys(loaded.config.providers))
  const done = await asked(run(how, { ifMatch: etag, ...(accounts.length > 0 ? { with: stored } : {}) }))
  if (accounts.length > 0 && !dry_run) await rooms.accounts.reload()
  return report(done)
}

/** A stored account as an edit gives it. */
const accountEdit = z.object({
  id: z.string().min(1).max(128).describe('name of the account'),
  provider: z.string().min(1).max(128).optional().describe('id of its provider; needed for a new one'),
  remove: z.literal(true).optional().describe('forget the account and its stored secret'),
  ...changeable,
}).strict()

function accountChange({ id, remove, ...input }: z.output<typeof accountEdit>): AccountChange {
  if (remove) return { id, put: null }
  const { record, secret } = recordOf(input, false)
  return { id, put: record, secret }
}

/** A whole document as a change of the text: only what differs is edited, and hidden values stay as they are. */
function becoming(wanted: JsonObject): TextChange {
  return (text) => {
    const before = documentOf(text)
    return applying(documentEdits(before, restoreSecrets(wanted, before) as JsonObject))(text)
  }
}

/** Nothing that is written by hand is known to be free of secrets: only the shape of it is recorded. */
const hideDocument = (input: JsonObject): JsonObject => ({
  ...input,
  document: redactConfig(input.document ?? null),
})

const snapshots = (rooms: OperationRooms) => openSnapshots(join(rooms.system.paths.data, 'snapshots'))

/** The document in force as a change leaves it, for the record: before and after, without secrets. */
const shownFile = async (rooms: OperationRooms): Promise<Json> =>
  redactConfig(documentOf(await rooms.config.text() ?? ''))

export const configFile = {
  document: operation({
    summary: 'Show the config file as one document, without secrets, with the etag to change it by',
    scope: 'admin',
    effect: 'reads',
    mcp: true,
    input: nothing,
    output: z.object({ path: z.string(), exists: z.boolean(), etag, document }),
    cli: { print: 'document' },
  }).query(async ({ ctx: { rooms } }) => {
    const text = await rooms.config.text()
    return {
      path: rooms.config.current().path,
      exists: text !== null,
      etag: etagOf(text),
      document: redactConfig(documentOf(text ?? '')) as JsonObject,
    }
  }),

  replace: operation({
    summary: 'Make the config file say what a document says: checked whole, written at once, comments kept',
    description:
      'A value that is given as it was shown stays what it is, so a document without secrets can be changed ' +
      'and given back. What the document leaves out is taken out.',
    scope: 'admin',
    effect: 'mutates',
    destructive: true,
    idempotent: true,
    input: z.object({ document: document.meta({ positional: 0 }), etag: ifMatch, dry_run: dryRun }).strict(),
    output: changed,
    before: ({ rooms }) => shownFile(rooms),
    hide: hideDocument,
    cli: { example: 'gw config replace "$(cat document.json)" --etag 0123…' },
  }).mutation(({ ctx: { rooms }, input }) => change(rooms, becoming(input.document as JsonObject), input)),

  edit: operation({
    summary: 'Change keys of the config file and stored accounts together, or none of them',
    scope: 'admin',
    effect: 'mutates',
    destructive: true,
    idempotent: true,
    input: z.object({
      edits: z.array(
        z.object({
          key: z.array(z.string().min(1).max(300)).min(1).max(12).describe('steps to the key: ["server", "port"]'),
          value: anyJson.optional().describe('absent or null takes the key out'),
        }).strict(),
      ).max(1_000).default([]),
      accounts: z.array(accountEdit).max(1_000).default([]).describe('stored accounts to add, change or forget'),
      etag: ifMatch,
      dry_run: dryRun,
    }).strict(),
    output: changed,
    before: async ({ rooms }, input) => {
      const named = new Set((Array.isArray(input.accounts) ? input.accounts : []).map((one) => (one as JsonObject).id))
      const document = await shownFile(rooms)
      if (named.size === 0) return document
      const accounts = rooms.accounts.list().filter(({ id }) => named.has(id)).map((one) => view(rooms, one))
      return { document, accounts } as unknown as Json
    },
    hide: (input) => ({
      ...input,
      edits: (Array.isArray(input.edits) ? input.edits : []).map((edit) => {
        const { key, value = null } = edit as { key: string[]; value?: Json }
        return { key, value: shownAt(key, value) }
      }) as Json,
      accounts: (Array.isArray(input.accounts) ? input.accounts : []).map((account) => {
        const { secret, ...shown } = account as JsonObject
        return secret === undefined ? shown : { ...shown, secret: '[secret]' }
      }),
    }),
    cli: { example: `gw config edit --edits '[{"key":["server","port"],"value":8090}]'` },
  }).mutation(({ ctx: { rooms, surface }, input }) => {
    if (surface === 'cli' && input.accounts.some(({ secret }) => secret !== undefined)) {
      throw new GwError('usage.invalid', 'a secret does not belong on a command line: others can see it there', {
        hint: 'gw accounts add PROVIDER --secret-stdin',
        param: 'accounts',
      })
    }
    return change(
      rooms,
      (text) => {
        const before = documentOf(text)
        const edits = input.edits.map(({ key, value }) => ({
          path: key,
          value: value === undefined || value === null
            ? undefined
            : valueAt(restoreSecrets(under(key, value), before) as JsonObject, key),
        }))
        return applying(edits)(text)
      },
      input,
      input.accounts.map(accountChange),
    )
  }),

  snapshots: operation({
    summary: 'List the copies of the config file that were put aside, and which of them it is like now',
    scope: 'admin',
    effect: 'reads',
    mcp: true,
    input: nothing,
    output: z.object({
      data: z.array(z.object({ name: z.string(), at: z.int(), bytes: z.int(), etag, active: z.boolean() })),
    }),
    cli: { columns: ['name', 'at', 'bytes', 'active'] },
  }).query(async ({ ctx: { rooms } }) => {
    const kept = snapshots(rooms)
    const now = etagOf(await rooms.config.text())
    const all = (await kept.list()).map(async (one) => {
      const etag = etagOf(await kept.read(one.name))
      return { ...one, etag, active: etag === now }
    })
    return { data: await Promise.all(all) }
  }),

  save: operation({
    summary: 'Put a copy of the config file aside under a name',
    scope: 'admin',
    effect: 'mutates',
    input: z.object({
      name: snapshot.meta({ positional: 0 }),
      replace: z.boolean().default(false).describe('take the place of a copy of that name'),
    }).strict(),
    output: z.object({ name: z.string(), etag }),
    cli: { example: 'gw config save before-the-move' },
  }).mutation(async ({ ctx: { rooms }, input }) => {
    const text = await rooms.config.text() ?? ''
    await snapshots(rooms).save(input.name, text, input.replace)
    return { name: input.name, etag: etagOf(text) }
  }),

  restore: operation({
    summary: 'Make the config file what a copy of it says, and put it in force',
    scope: 'admin',
    effect: 'mutates',
    destructive: true,
    idempotent: true,
    input: z.object({ name: snapshot.meta({ positional: 0 }), etag: ifMatch, dry_run: dryRun }).strict(),
    output: changed,
    before: ({ rooms }) => shownFile(rooms),
  }).mutation(async ({ ctx: { rooms }, input }) => {
    const text = await snapshots(rooms).read(input.name)
    return await change(rooms, () => text, input)
  }),

  forget: operation({
    summary: 'Delete a copy of the config file',
    scope: 'admin',
    effect: 'mutates',
    destructive: true,
    input: z.object({ name: snapshot.meta({ positional: 0 }) }).strict(),
    output: z.object({ forgotten: z.string() }),
  }).mutation(async ({ ctx: { rooms }, input }) => {
    await snapshots(rooms).remove(input.name)
    return { forgotten: input.name }
  }),

  export: operation({
    summary: 'Show what a copy of the config file says, without secrets',
    scope: 'admin',
    effect: 'reads',
    input: z.object({ name: snapshot.meta({ positional: 0 }) }).strict(),
    output: z.object({ name: z.string(), etag, document }),
    cli: { print: 'document' },
  }).query(async ({ ctx: { rooms }, input }) => {
    const text = await snapshots(rooms).read(input.name)
    return { name: input.name, etag: etagOf(text), document: redactConfig(documentOf(text)) as JsonObject }
  }),

  import: operation({
    summary: 'Put a document aside as a copy of the config file, without putting it in force',
    description: 'Hidden values are those of the config file as it is now.',
    scope: 'admin',
    effect: 'mutates',
    input: z.object({
      name: snapshot.meta({ positional: 0 }),
      document: document.meta({ positional: 1 }),
      replace: z.boolean().default(false).describe('take the place of a copy of that name'),
    }).strict(),
    output: z.object({ name: z.string(), etag }),
    hide: hideDocument,
  }).mutation(async ({ ctx: { rooms }, input }) => {
    const { after } = await asked(rooms.config.check(becoming(input.document as JsonObject)))
    await snapshots(rooms).save(input.name, after, input.replace)
    return { name: input.name, etag: etagOf(after) }
  }),
}

/** What stands at a path, if anything. */
export function valueAt(tree: Json, path: readonly string[]): Json | undefined {
  let value: Json | undefined = tree
  for (const step of path) value = isObject(value) && Object.hasOwn(value, step) ? value[step] as Json : undefined
  return value
}

/** A document that holds one value. */
const under = (key: readonly string[], value: Json): JsonObject =>
  [...key].reverse().reduce<Json>((inner, step) => ({ [step]: inner }), value) as JsonObject

/** A value without secrets, as it is shown where it stands. */
export const shownAt = (key: readonly string[], value: Json): Json =>
  valueAt(redactConfig(under(key, value)) as JsonObject, key) ?? null
