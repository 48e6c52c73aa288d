import { z } from 'zod'
import { isTimeZone, Secret } from '../base/mod.ts'
import { scopes } from './scope.ts'
import { toolRulesConfig } from './tool-rules-config.ts'

export { toolRulesConfig }

const secret = z.string().transform((text) => new Secret(text))

/** A token that stands in the config instead of being issued. */
const staticToken = z.object({
  token: secret.describe('The value clients send; at least 16 characters'),
  label: z.string().max(200).optional().describe('Shown in lists and logs'),
  scopes: z.array(z.enum(scopes)).default(['read', 'write']).describe('What it may do'),
  admin: z.boolean().default(false).describe('Same as the scope admin'),
  enabled: z.boolean().default(true).describe('Off refuses it'),
  models: z.array(z.string()).optional().describe('Model patterns it may call; absent is all'),
  providers: z.array(z.string()).optional().describe('Providers it may reach; absent is all'),
  account: z.string().optional().describe('Pins its requests to one account'),
  tools: toolRulesConfig().optional().describe('Tools of MCP servers it may call; an allow list is the whole list'),
}).strict()

/** `[access]` of the config file. */
export const accessConfig = z.object({
  token_secret: secret.optional().describe(
    'Signs client tokens instead of a key made by gw (TOKEN_SECRET); at least 32 bytes, not a documented example',
  ),
  default_ttl_hours: z.number().int().min(1).max(87_600).default(24).describe('Life of a token that names none'),
  anonymous: z.boolean().default(false).describe(
    'Lets requests without a token in, only on loopback and only while no token was ever issued or configured',
  ),
  tokens: z.record(z.string().regex(/^[\w.-]{1,64}$/), staticToken).default({}).describe(
    'Tokens that stand here instead of being issued',
  ),
  server_token: secret.optional().describe('One shared token with every right (OPEN_LLM_AUTH_TOKEN)'),
  legacy_admin: z.boolean().default(true).describe('Off refuses server_token'),
  admin_key: secret.optional().describe('One more shared token with every right (TOKEN_ADMIN_KEY)'),
  storage_policy: z.enum(['memory', 'text', 'binary', 'both']).default('memory').describe(
    'Copies of the token list beside the database: none, tokens.lino, tokens.bin, or both',
  ),
  time_zone: z.string().refine(isTimeZone, 'not an IANA time zone').default('UTC').describe(
    'Where days, weeks and months of budgets begin',
  ),
  unpriced: z.enum(['deny', 'allow']).default('deny').describe(
    'What a token with a budget gets when the price of a model is unknown',
  ),
  remembered_tokens: z.number().int().min(16).max(1_000_000).default(10_000).describe(
    'Verified tokens kept in memory',
  ),
}).strict().prefault({})

/** The parsed `[access]`. */
export type AccessConfig = z.output<typeof accessConfig>
