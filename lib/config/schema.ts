import { z } from 'zod'
import { accessConfig } from '../access/config.ts'
import { accountsConfig } from '../accounts/config.ts'
import { catalogConfig, providersConfig } from '../catalog/config.ts'
import { isLoginVariable, loginsConfig } from '../credentials/config.ts'
import { egressConfig } from '../egress/config.ts'
import { mcpConfig } from '../mcp-proxy/config.ts'
import { stayAfloatConfig } from '../repair/config.ts'
import { routingConfig } from '../routing/config.ts'
import { secretsConfig } from '../secrets/config.ts'
import { usageConfig } from '../usage/config.ts'
import { operationsConfig } from './operations.ts'
import { limitsConfig, logConfig, responsesConfig, serverConfig, translationConfig } from './server.ts'

export { isLoginVariable }

/** Everything that can be configured, section by section. Each room wrote its own; this only puts them together. */
export const configSchema = z.object({
  server: serverConfig.describe('Where gw listens and whom it lets near.'),
  limits: limitsConfig.describe('Bounds and deadlines of one request.'),
  responses: responsesConfig.describe('Answers kept so that clients can continue them by id.'),
  translation: translationConfig.describe('How requests are put into another protocol.'),
  log: logConfig.describe('What gw prints about itself.'),
  access: accessConfig.describe('Tokens of your clients.'),
  secrets: secretsConfig.describe('How secrets are kept at rest.'),
  accounts: accountsConfig.describe('What you have: one entry per key or login.'),
  logins: loginsConfig.describe('Login endpoints, by vendor.'),
  providers: providersConfig.describe('Providers of your own, and changes to the built-in ones.'),
  catalog: catalogConfig.describe('Model names that mean others, and the model for requests that name none.'),
  egress: egressConfig.describe('Where gw may open connections to.'),
  routing: routingConfig.describe('Which account serves a request.'),
  stay_afloat: stayAfloatConfig.describe('What keeps accounts usable, and further accounts it looks after.'),
  usage: usageConfig.describe('What is recorded, and for how long.'),
  mcp: mcpConfig.describe('Tool servers behind gw, and which of their tools may be called.'),
  operations: operationsConfig.describe('What agents may do through the MCP server.'),
}).strict()

/** A valid configuration with every default filled in. */
export type Config = z.output<typeof configSchema>

/** A configuration as somebody writes it. */
export type ConfigInput = z.input<typeof configSchema>
