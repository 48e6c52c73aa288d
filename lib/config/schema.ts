import { z } from 'zod'
import { accessConfig } from '../access/mod.ts'
import { accountsConfig } from '../accounts/mod.ts'
import { secretsConfig } from '../secrets/mod.ts'
import { providersConfig } from './providers.ts'
import { operationsConfig } from './operations.ts'
import { limitsConfig, logConfig, serverConfig } from './server.ts'

/** Everything that can be configured, section by section. Each room wrote its own; this only puts them together. */
export const configSchema = z.object({
  server: serverConfig.describe('Where gw listens and whom it lets near.'),
  limits: limitsConfig.describe('Bounds and deadlines of one request.'),
  log: logConfig.describe('What gw prints about itself.'),
  access: accessConfig.describe('Tokens of your clients.'),
  secrets: secretsConfig.describe('How secrets are kept at rest.'),
  accounts: accountsConfig.describe('What you have: one entry per key or login.'),
  providers: providersConfig.describe('Providers of your own, and changes to the built-in ones.'),
  operations: operationsConfig.describe('What agents may do through the MCP server.'),
  aliases: z.record(z.string().min(1), z.string().min(1)).default({}).describe('Model names that mean others.'),
}).strict()

/** A valid configuration with every default filled in. */
export type Config = z.output<typeof configSchema>

/** A configuration as somebody writes it. */
export type ConfigInput = z.input<typeof configSchema>
