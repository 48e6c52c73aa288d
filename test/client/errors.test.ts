import type { Command } from 'commander'
import { expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ErrorCode, errorCodes, GwError } from '../../lib/base/mod.ts'
import { modules } from '../../client/cli/modules.ts'
import { buildProgram } from '../../client/cli/program.ts'
import { silentIo } from '../docs/silent-io.ts'

const root = join(import.meta.dir, '../..')
const codes = Object.keys(errorCodes) as ErrorCode[]
/** What a code says helps where its message brings nothing better. */
const remedyOf = (code: ErrorCode): string | null => new GwError(code, 'x').hint ?? null
const sources = ['lib', 'server', 'mcp', 'client'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts')).map((name) => join(folder, name))
)

/** Each place that makes an error: the code if it is written there, and the message as it is written. */
const made = sources.flatMap((file) =>
  [...readFileSync(join(root, file), 'utf8').matchAll(/new GwError\(\s*'([a-z_.]+)',\s*('[^']*'|`[^`]*`)/g)]
    .map(([, code, message]) => ({ file, code: code as ErrorCode, message: message!.slice(1, -1) }))
)

/** Sentences that programs of others match on, in the words of their systems. */
const fixedSentences = new Set([
  'Token has expired',
  'Token has been revoked',
  'Invalid token: ${why}',
  'Invalid token: it was not issued by this gw',
  'Missing Authorization header with Bearer token (or x-api-key)',
  "Previous response with id '${id.slice(0, 100)}' not found.",
  "Authenticated token is missing required scope 'admin'.",
  "Authenticated token is missing required scope '${scope}'.",
  "Response with id '${id.slice(0, 100)}' not found.",
])

test('most errors of the sources are seen by this file', () => {
  expect(made.length).toBeGreaterThan(400)
})

test('a code says what helps, but for those whose every message names what is wanted', () => {
  const silent = codes.filter((code) => remedyOf(code) === null)
  expect(silent.sort()).toEqual([
    'cancelled',
    'config.rejected',
    'request.invalid',
    'request.media_type',
    'request.method_not_allowed',
  ])
  expect(new GwError('storage.busy', 'x').hint).toBe(remedyOf('storage.busy')!)
  expect(new GwError('storage.busy', 'x', { hint: 'y' }).hint).toBe('y')
  expect(new GwError('storage.busy', 'x', { hint: null }).hint).toBeUndefined()
})

test('a message is a phrase: no capital but of a name, no full stop', () => {
  const name = /^(?:[A-Z][A-Z_]+|Google)\b/
  const odd = made.filter(({ message }) => !fixedSentences.has(message))
    .filter(({ message }) => (/^[A-Z]/.test(message) && !name.test(message)) || /[^.]\.$/.test(message))
  expect(odd.map(({ file, message }) => `${file}: ${message}`)).toEqual([])
})

test('a command that an error tells people to type exists', () => {
  const program = buildProgram(silentIo, '0.0.0', modules, () => {}, ['complete'])
  const hints = sources.flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/\bhint:\s*(?:\n\s*)?(?:'([^']*)'|`([^`]*)`)/g)]
      .map(([, plain, template]) => ({ file, hint: plain ?? template! }))
  ).concat(codes.map(remedyOf).flatMap((hint) => hint === null ? [] : [{ file: 'lib/base/error.ts', hint }]))
  const typed = hints.flatMap(({ file, hint }) =>
    [...hint.matchAll(/(?:^|; |: |, |then |or |run |\| )gw ((?:[a-z][a-z0-9-]*)(?: [a-z][a-z0-9-]*)*)/g)]
      .map(([, words]) => ({ file, words: words!.split(' ') }))
  )
  expect(typed.length).toBeGreaterThan(80)
  const unknown = typed.filter(({ words }) => {
    let at: Command = program
    for (const word of words) {
      const next = at.commands.find((one) => one.name() === word || one.aliases().includes(word))
      if (next === undefined) break
      at = next
    }
    // An area alone says nothing; a command that does something may be followed by more words.
    return at === program || (at as unknown as { _actionHandler: unknown })._actionHandler === null
  })
  expect(unknown.map(({ file, words }) => `${file}: gw ${words.join(' ')}`)).toEqual([])
})
