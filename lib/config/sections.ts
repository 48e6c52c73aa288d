import type { z } from 'zod'

/** One section of the configuration: the schema that its room wrote, loaded when something in it is to be judged. */
interface Section<S extends z.ZodType> {
  readonly describe: string
  readonly load: () => Promise<S>
  /** What its schema judges by functions, apart: what has the schema's shape and breaks no rule is as the schema wants it. */
  readonly rules?: () => Promise<(value: never) => readonly unknown[]>
}

const section = <S extends z.ZodType>(
  describe: string,
  load: () => Promise<S>,
  rules?: () => Promise<(value: z.output<S>) => readonly unknown[]>,
): Section<S> => ({ describe, load, ...(rules ? { rules } : {}) })

/** Everything that can be configured, section by section. Each room wrote its own; this only puts them together. */
export const sections = {
  server: section(
    'Where gw listens and whom it lets near.',
    async () => (await import('./server.ts')).serverConfig,
  ),
  limits: section('Bounds and deadlines of one request.', async () => (await import('./server.ts')).limitsConfig),
  responses: section(
    'Answers kept so that clients can continue them by id.',
    async () => (await import('./server.ts')).responsesConfig,
  ),
  translation: section(
    'How requests are put into another protocol.',
    async () => (await import('./server.ts')).translationConfig,
  ),
  log: section('What gw prints about itself.', async () => (await import('./server.ts')).logConfig),
  access: section('Tokens of your clients.', async () => (await import('../access/config.ts')).accessConfig),
  secrets: section('How secrets are kept at rest.', async () => (await import('../secrets/config.ts')).secretsConfig),
  accounts: section(
    'What you have: one entry per key or login.',
    async () => (await import('../accounts/config.ts')).accountsConfig,
    async () => (await import('../accounts/rules.ts')).accountsProblems,
  ),
  logins: section('Login endpoints, by vendor.', async () => (await import('../credentials/config.ts')).loginsConfig()),
  providers: section(
    'Providers of your own, and changes to the built-in ones.',
    async () => (await import('../catalog/config.ts')).providersConfig,
  ),
  catalog: section(
    'Model names that mean others, and the model for requests that name none.',
    async () => (await import('../catalog/config.ts')).catalogConfig,
  ),
  egress: section('Where gw may open connections to.', async () => (await import('../egress/config.ts')).egressConfig),
  routing: section(
    'Which account serves a request.',
    async () => (await import('../routing/config.ts')).routingConfig,
  ),
  stay_afloat: section(
    'What keeps accounts usable, and further accounts it looks after.',
    async () => (await import('../repair/config.ts')).stayAfloatConfig,
    async () => (await import('../repair/rules.ts')).inventoryProblems,
  ),
  usage: section(
    'What is recorded, and for how long.',
    async () => (await import('../usage/config.ts')).usageConfig,
  ),
  mcp: section(
    'Tool servers behind gw, and which of their tools may be called.',
    async () => (await import('../mcp-proxy/config.ts')).mcpConfig,
  ),
  operations: section(
    'What agents may do through the MCP server.',
    async () => (await import('./operations.ts')).operationsConfig,
  ),
}

type Sections = typeof sections
type SchemaOf<K extends keyof Sections> = Awaited<ReturnType<Sections[K]['load']>>

/** A valid configuration with every default filled in. */
export type Config = { [K in keyof Sections]: z.output<SchemaOf<K>> }

/** A configuration as somebody writes it. */
export type ConfigInput = { [K in keyof Sections]?: z.input<SchemaOf<K>> }
