import { Command } from 'commander'
import { expect, test } from 'bun:test'
import { modules } from '../../client/cli/modules.ts'
import { printFields, printResult, printTable } from '../../client/cli/output.ts'
import { buildProgram } from '../../client/cli/program.ts'
import { alignColumns } from '../../client/cli/table.ts'
import type { JsonObject } from '../../lib/base/mod.ts'
import { operationNamed } from '../../client/cli/manifest.ts'
import { silentIo } from '../docs/silent-io.ts'
import { heading, valueText } from '../../client/cli/words.ts'

/** Every command there is, by its words. */
function commands(): Map<string, Command> {
  const found = new Map<string, Command>()
  const walk = (command: Command, words: string) => {
    for (const one of command.commands) {
      const path = `${words} ${one.name()}`
      found.set(path, one)
      walk(one, path)
    }
  }
  walk(buildProgram(silentIo, '0.0.0', modules, () => {}, ['complete']), 'gw')
  return found
}

test('a command says what it does in a sentence that begins with a capital and has no full stop', () => {
  const odd = [...commands()].filter(([, command]) => !/^[A-Z].*[^.]$/.test(command.description()))
  expect(odd.map(([words, command]) => `${words}: ${command.description()}`)).toEqual([])
})

test('an option says what it is for in a phrase without a capital or a full stop', () => {
  const odd = [...commands()].flatMap(([words, command]) =>
    command.options.filter(({ description }) => /^[A-Z][a-z]+ |[^.]\.$/.test(description)).map((
      { flags, description },
    ) => `${words} ${flags}: ${description}`)
  )
  expect(odd).toEqual([])
})

test('help on a terminal of 40 columns stays within them, but for words that are longer', () => {
  const program = buildProgram({ ...silentIo, columns: 40 }, '0.0.0', modules, () => {}, ['complete'])
  const wide: string[] = []
  const walk = (command: Command) => {
    let page = ''
    command.configureOutput({ ...command.configureOutput(), writeOut: (text) => page += text }).outputHelp()
    const lines = page.split('\n').filter((line) => line.length > 40 && line.trim().includes(' '))
    // A usage line, the names of an option and a command line to copy stand as they are.
    wide.push(...lines.filter((line) => !/^Usage:|^ {2}-|^ {2}\S+.*[[<]|gw |^ {4,}-/.test(line)))
    command.commands.forEach(walk)
  }
  walk(program)
  expect(wide).toEqual([])
})

test('a table that is too wide stacks the words of its headings before it cuts a value', () => {
  let text = ''
  const io = { ...silentIo, terminal: true, columns: 44, out: (more: string) => void (text += more) }
  const row = { id: 'req_0123456789abcdef', inputTokens: 12, outputTokens: 3, shadowCostMicros: 0 }
  printTable(io, [row], Object.keys(row))
  expect(text.split('\n')).toEqual([
    '                      input   output  shadow',
    'id                    tokens  tokens  cost',
    'req_0123456789abcdef  12      3       $0.00',
    '',
  ])
})

test('what names a row is never cut: the last columns are left out instead, and named', () => {
  let text = ''
  const io = { ...silentIo, terminal: true, columns: 60, out: (more: string) => void (text += more) }
  const id = '3e65f12d-6390-4f4c-b9f9-956d4ccca9b0'
  printTable(io, [{ id, label: 'a long label', scopes: 'read, write', account: 'openai-work' }], [
    'id',
    'label',
    'scopes',
    'account',
  ])
  expect(text.split('\n')).toEqual([
    'id                                    label       scopes',
    `${id}  a long la…  read, wri…`,
    'too narrow for account: a wider terminal has room, --json',
    'shows all',
    '',
  ])
})

const tableAt = (columns: number, rows: JsonObject[], named: string[]): string[] => {
  let text = ''
  printTable({ ...silentIo, terminal: true, columns, out: (more) => void (text += more) }, rows, named)
  return text.trimEnd().split('\n')
}

test('a moment and a number are never cut: a moment gives up its year, then whole columns are left out', () => {
  const row = { id: 'req_0123456789', at: Date.UTC(2026, 10, 22, 13, 48, 5), model: 'm'.repeat(20), tokens: 1_000_001 }
  const named = ['id', 'at', 'model', 'tokens']
  expect(tableAt(70, [row], named)[1]).toBe('req_0123456789  2026-11-22 13:48:05Z  mmmmmmmmmmmmmmmmmmmm  1000001')
  expect(tableAt(60, [row], named)[1]).toBe('req_0123456789  11-22 13:48Z  mmmmmmmmmmmmmmmmmmmm  1000001')
  expect(tableAt(52, [row], named)[1]).toBe('req_0123456789  11-22 13:48Z  mmmmmmmmmmmm…  1000001')
  expect(tableAt(44, [row], named).slice(1)).toEqual([
    'req_0123456789  11-22 13:48Z  mmmmmmmmmmmmm…',
    'too narrow for tokens: a wider terminal has',
    'room, --json shows all',
  ])
  // The year stays where it tells two rows apart.
  const older = { ...row, at: Date.UTC(2025, 10, 22) }
  expect(tableAt(60, [row, older], named)[2]).toStartWith('req_0123456789  2025-11-22 00:00:00Z')
})

test('prices say what they are for', () => {
  const row = { id: 'm', price: { inputMicros: 2_500_000 } }
  expect(tableAt(60, [row], ['id', 'price.inputMicros'])).toEqual(['id  input per M', 'm   $2.50'])
})

test('one record is shown as its fields, whatever lists it has', () => {
  let text = ''
  const io = { ...silentIo, terminal: true, columns: 60, out: (more: string) => void (text += more) }
  const operation = operationNamed('tokens.show')
  printResult({ ...io, err: (more) => void (text += more) }, operation, { id: 'x', tools: [] }, false)
  expect(text).toBe('id     x\ntools  -\n')
})

test('a field with many parts is wrapped between them, under its value', () => {
  let text = ''
  const io = { ...silentIo, terminal: true, columns: 40, out: (more: string) => void (text += more) }
  printFields(io, { by: 'day', totals: { requests: 3, inputTokens: 1_000_001, costMicros: 250_000, meanMs: 15 } })
  expect(text.split('\n')).toEqual([
    'by      day',
    'totals  requests 3,',
    '        input tokens 1000001,',
    '        cost $0.25, mean 15 ms',
    '',
  ])
})

test('every command of the first page stands under a title', () => {
  const program = buildProgram(silentIo, '0.0.0', modules, () => {}, [])
  const shown = program.createHelp().visibleCommands(program)
  expect(shown.filter((command) => command.helpGroup() === '').map((command) => command.name())).toEqual([])
})

test.each([
  ['costMicros', 1_250_000, '$1.25'],
  ['costMicros', 0, '$0.00'],
  ['costMicros', 3, '$0.000003'],
  ['spendMicrosPerDay', 2_000_000, '$2.00'],
  ['ts', 1_700_000_000, '2023-11-14 22:13:20Z'],
  ['headroom', 0.9989999999, '0.999'],
  ['price', { inputMicros: 2_500_000, cachedInputMicros: null }, 'input $2.50'],
  ['issued_at', 1_700_000_000, '2023-11-14 22:13:20Z'],
  ['resetsAt', 1_700_000_000_000, '2023-11-14 22:13:20Z'],
  ['from', 1_700_000_000_000, '2023-11-14 22:13:20Z'],
  ['ageMs', 93_600_000, '1 d 2 h'],
  ['plan', false, 'no'],
  ['models', [], '-'],
  ['scopes', ['read', 'write'], 'read, write'],
  ['label', 'a\u001b[31mb\nc', 'a\\u{1b}[31mb\\u{a}c'],
  ['port', 8080, '8080'],
])('%s of %p reads as %p', (name, value, text) => {
  expect(valueText(name, value)).toBe(text)
})

test('names become headings, and spans their two largest units', () => {
  expect(['cachedInputMicros', 'issued_at', 'at', 'nextResetAt', 'id'].map(heading)).toEqual([
    'cached input',
    'issued',
    'at',
    'next reset',
    'id',
  ])
  expect([12, 1_500, 61_000, 3_600_000, 90_000_000].map((ms) => valueText('spanMs', ms))).toEqual([
    '12 ms',
    '1.5 s',
    '1 min',
    '1 h',
    '1 d 1 h',
  ])
  expect(valueText('costMicros', -500_000)).toBe('-$0.50')
})

test('a table fits the terminal: wide columns give way first, the name of the row last', () => {
  const lines = alignColumns([['id', 'what', 'n'], ['abcdefghijklmnop', 'x'.repeat(60), '1']], 40)
  expect(lines).toEqual([
    'id                what                 n',
    'abcdefghijklmnop  xxxxxxxxxxxxxxxxxx…  1',
  ])
})

test('a run that names a command builds it as a run that builds all, and nothing that stands beside it', () => {
  const shape = (command: Command): unknown => [
    command.name(),
    command.aliases(),
    command.usage(),
    command.options.map(({ flags }) => flags),
    command.commands.map(shape),
  ]
  const whole = buildProgram(silentIo, '0.0.0', modules, () => {}, ['complete']).commands.filter((command) =>
    command.name() !== 'help' && command.name() !== 'complete'
  )
  const differ = whole.filter((command) => {
    const { commands } = buildProgram(silentIo, '0.0.0', modules, () => {}, ['--port', '1', command.name()])
    const alone = commands.find((one) => one.name() === command.name())
    return !alone || commands.length === whole.length || JSON.stringify(shape(alone)) !== JSON.stringify(shape(command))
  })
  expect(differ.map((command) => command.name())).toEqual([])
})

test('on a terminal a list inside a result is a table under its name, and no evidence is cut', () => {
  const evidence = 'a sentence that is longer than what a narrow terminal has left for it beside the other columns'
  const result = {
    outcome: 'ok',
    plan: { strategy: 'priority', dropped: [{ target: 'a:b#chat', because: 'price', detail: evidence, until: null }] },
    cache: { expected: 'warm' },
  }
  let text = ''
  printFields({ ...silentIo, terminal: true, color: false, columns: 80, out: (part) => void (text += part) }, result)
  expect(text.split('\n')).toEqual([
    'outcome  ok',
    'cache    expected warm',
    '',
    'plan',
    'strategy  priority',
    '',
    'dropped',
    'target    because',
    'a:b#chat  price',
    `    ${evidence}`,
    '',
  ])
  text = ''
  printFields({ ...silentIo, terminal: false, out: (part) => void (text += part) }, result)
  expect(text.split('\n').length).toBe(4)
})
