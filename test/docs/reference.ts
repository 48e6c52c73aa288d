import { type ErrorCode, errorCodes, GwError } from '../../lib/base/mod.ts'
import { providers } from '../../lib/catalog/providers.ts'
import { described, settings } from '../../client/cli/manifest.ts'
import { buildProgram } from '../../client/cli/program.ts'
import { modules } from '../../client/cli/modules.ts'
import { silentIo } from './silent-io.ts'

const generated = 'Made from the code by `bun run manifest`; a test keeps it true.'

/** The pages of the reference: by file, what it must hold. */
export const pages: Readonly<Record<string, () => string>> = {
  'docs/reference/commands.md': commandsPage,
  'docs/reference/operations.md': operationsPage,
  'docs/reference/settings.md': settingsPage,
  'docs/reference/errors.md': errorsPage,
  'docs/reference/providers.md': providersPage,
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``
const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(heads), row(heads.map(() => '---')), ...rows.map(row)].join('\n')
}

function commandsPage(): string {
  type Command = ReturnType<typeof buildProgram>
  const walk = (command: Command, words: string): string[] =>
    command.createHelp().visibleCommands(command).flatMap((one) => {
      if (one.name() === 'help') return []
      const path = `${words} ${one.name()}`
      if (one.commands.length > 0 && one.options.length === 0 && one.registeredArguments.length === 0) {
        return walk(one as Command, path)
      }
      const usage = `${path} ${one.usage()}`.replace(/ \[command\]/, '').trim()
      const options = one.options.map((option) => [code(option.flags), cell(option.description)])
      return [
        [
          `## ${path}`,
          `${one.description()}.`,
          '```text\n' + usage + '\n```',
          ...(options.length > 0 ? [table(['Option', ''], options)] : []),
        ].join('\n\n'),
        ...walk(one as Command, path),
      ]
    })
  const program = buildProgram(silentIo, '', modules, () => {}, ['complete'])
  const everywhere = program.options.filter(({ hidden }) => !hidden)
    .map((option) => [code(option.flags), cell(option.description)])
  return [
    '# Commands',
    generated,
    'Every command takes these, and a flag for each [setting](settings.md):',
    table(['Option', ''], everywhere),
    ...walk(program, 'gw'),
  ].join('\n\n')
}

function operationsPage(): string {
  const sections = described.map((operation) => {
    const properties = Object.entries(operation.input.properties as Record<string, Schema> | undefined ?? {})
    const required = new Set(operation.input.required as readonly string[] | undefined)
    const fields = properties.map(([name, schema]) => [
      code(name),
      cell(typeName(schema)),
      required.has(name) ? 'yes' : '',
      cell(schema.description ?? ''),
    ])
    const method = operation.kind === 'query' ? 'GET' : operation.kind === 'mutation' ? 'POST' : 'subscription'
    return [
      `## ${operation.name}`,
      `${operation.summary}.${operation.description ? ` ${operation.description}` : ''}`,
      `${
        method === 'subscription' ? 'A subscription' : code(`${method} /api/${operation.name.replaceAll('.', '/')}`)
      }, ` +
      `scope ${code(operation.scope)}, ${operation.effect}${operation.destructive ? ', destructive' : ''}${
        operation.mcp ? `, tool ${code(operation.name.replaceAll('.', '_'))}` : ''
      }.`,
      ...(fields.length > 0 ? [table(['Field', 'Type', 'Required', ''], fields)] : []),
      ...answerOf(operation.output as Schema | null),
    ].join('\n\n')
  })
  return [
    '# Operations',
    generated,
    'Each is there on tRPC under its name, over HTTP under its path, as a tool of the MCP server where one is named, and as a [command](commands.md).',
    conventions,
    ...sections,
  ].join('\n\n')
}

const conventions =
  `What goes in is named like a setting, in small letters with underscores; the flag of it has dashes. What comes out is one
object with names in camel case, and every field is there, \`null\` where there is nothing to say. The rows of a list stand
under \`data\`, and \`next\` is the cursor of the next page, or \`null\`. A number carries its unit: \`…At\` is epoch
milliseconds, \`…Ms\` a span, \`…Micros\` millionths of a US dollar. Shapes that were fixed before gw stay as they were, with
underscores and times \`…_at\` in epoch seconds: client tokens and stored providers (Link.Assistant.Router), and what
stay-afloat reports (oauth-mux). An error is one object too, \`{"error": {code, message, hint, param, …}}\` on the command
line; its [code](errors.md) is the same everywhere. Why so: [decision 3](../decisions/0003-json-conventions.md).`

/** The names of what an operation answers with. */
function answerOf(output: Schema | null): readonly string[] {
  const { properties = {} } = output ?? {}
  const names = Object.entries(properties).map(([name, { items }]) =>
    items?.properties ? `${code(name)} (rows of ${Object.keys(items.properties).map(code).join(', ')})` : code(name)
  )
  return names.length === 0 ? [] : [`Answer: ${names.join(', ')}.`]
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly type?: string
  readonly enum?: readonly string[]
  readonly description?: string
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
}

function typeName(schema: Schema): string {
  if (schema.enum) return schema.enum.map(code).join(', ')
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeName))].join(' or ')
  return schema.type === 'array'
    ? `list of ${schema.items ? typeName(schema.items) : 'anything'}`
    : schema.type ?? 'any'
}

function settingsPage(): string {
  const sections = Map.groupBy(settings, ({ path }) => path.split('.')[0]!)
  return [
    '# Settings',
    generated,
    'In the config file by their path, in the environment by their variable, on the command line by their flag; the flag wins over the environment, the environment over `.lenv`, `.env` and the file.',
    'Variables that are no settings: `GW_HOME` (the folder of the home), `GW_CONFIG` (the config file), `GW_URL` and `GW_TOKEN` (the gateway that commands drive), `GW_RUNTIME=node` (the installed `gw` stays on Node although there is a Bun).',
    ...[...sections].map(([name, list]) =>
      [
        `## ${name}`,
        table(
          ['Setting', 'Variable', 'Type', 'Default', ''],
          list.map((setting) => [
            code(setting.path),
            code(setting.variable),
            setting.choices ? setting.choices.map((choice) => code(String(choice))).join(', ') : setting.type,
            setting.default === undefined || setting.default === null ? '' : code(JSON.stringify(setting.default)),
            cell(setting.description ?? ''),
          ]),
        ),
      ].join('\n\n')
    ),
  ].join('\n\n')
}

function errorsPage(): string {
  const rows = Object.entries(errorCodes).map(([name, { status, exit, openai, anthropic }]) => [
    code(name),
    String(status),
    String(exit),
    code(openai),
    code(anthropic),
    cell(new GwError(name as ErrorCode, name).hint ?? 'what the message says'),
  ])
  return [
    '# Errors',
    generated,
    'The same code means the same thing on every surface: the title of a problem document, the status of an HTTP answer, the exit code of a command, and the type in the shape of the protocol that a client speaks.',
    table(['Code', 'HTTP', 'Exit', 'OpenAI type', 'Anthropic type', 'What helps'], rows),
  ].join('\n\n')
}

function providersPage(): string {
  const rows = [...providers].sort((a, b) => a.id < b.id ? -1 : 1).map(({ id, name, aliases, env, deployments }) => [
    code(id),
    cell(name),
    aliases.map(code).join(', '),
    env.map((variable) => code(String(variable))).join(', '),
    [...new Set(deployments.map(({ protocol }) => protocol))].join(', '),
  ])
  return [
    '# Providers',
    generated,
    'A provider is a row of data; `[providers.<id>]` in the config overrides any field of one, or adds one.',
    table(['Provider', 'Name', 'Also called', 'Keys from the environment', 'Protocols'], rows),
  ].join('\n\n')
}

if (import.meta.main) {
  for (const [file, draw] of Object.entries(pages)) {
    await Bun.write(new URL(`../../${file}`, import.meta.url), `${draw()}\n`)
  }
}
