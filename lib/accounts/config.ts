import { z } from 'zod'
import { accountIdPattern } from './account.ts'
import { accountProblems } from './rules.ts'

const argv = z.array(z.string().min(1)).min(1)

/** An account as it is written: in the config file, and in the store. */
export const accountSchema = z.object({
  provider: z.string().min(1).describe('Provider that it stands with, by id'),
  label: z.string().optional().describe('Name shown to people; default: the account id'),
  enabled: z.boolean().default(true).describe('Whether it may be used'),
  priority: z.number().int().default(0).describe('Higher is tried first where priority counts'),
  weight: z.number().positive().default(1).describe('Share of the load where weight counts'),
  plan: z.boolean().optional().describe(
    'Whether it is a plan login rather than an API key; default: by its source and its secret',
  ),
  allow_undocumented_use: z.boolean().default(false).describe(
    'Use it also where the vendor documents no such use; see gw auth inspect',
  ),
  base_url: z.url().optional().describe("Other base URL than the provider's; binds the credential to that origin"),
  models: z.array(z.string().min(1)).default([]).describe('Models it may be used for, as patterns; empty is all'),
  tags: z.array(z.string().min(1)).default([]).describe('Names to select it by'),
  concurrency: z.number().int().positive().optional().describe('Most requests at once'),
  requests_per_minute: z.number().positive().optional().describe('Most requests in a minute'),
  spend_micros_per_day: z.number().int().positive().optional().describe('Most spent in a day, micro-USD'),
  kind: z.enum(['api_key', 'auth_token']).optional().describe('How the secret is sent where a provider takes both'),
  token: z.string().min(1).optional().describe('The secret itself, or ${VARIABLE}; better one of the others'),
  token_env: z.string().min(1).optional().describe('Environment variable that holds the secret'),
  token_file: z.string().min(1).optional().describe('File with the secret, or a folder with a login document'),
  token_command: argv.optional().describe('Program (argv, no shell) that prints exactly one token'),
  token_store: z.string().min(1).optional().describe(
    'Reference in the encrypted store of this home; beside token_env it is read when that is not set',
  ),
  token_stdin: z.literal(true).optional().describe('Read the token from the standard input of gw, once'),
  keychain: z.object({ service: z.string().min(1), account: z.string().min(1) }).strict().optional().describe(
    'Item of the OS keychain',
  ),
  sops: z.object({ path: z.string().min(1), key: z.string().min(1).optional() }).strict().optional().describe(
    'File encrypted with sops, and the key in it',
  ),
  age: z.object({ path: z.string().min(1), identity: z.string().min(1) }).strict().optional().describe(
    'File encrypted with age, and the identity that opens it',
  ),
  aws_profile: z.string().min(1).optional().describe('Profile of the shared AWS credentials file'),
  google_key_file: z.string().min(1).optional().describe('Google key file that access tokens are minted from'),
  login: z.string().regex(/^[a-z0-9-]+(\.[A-Za-z0-9_-]+)?$/).optional().describe(
    'Login of gw: vendor or vendor.binding',
  ),
  foreign: z.union([
    z.string().min(1),
    z.object({ tool: z.string().min(1), path: z.string().min(1).optional() }).strict(),
  ]).optional().describe('Login of another program on this machine, shared with it: its name, and maybe a path'),
  account_id: z.string().min(1).optional().describe('Id sent beside the token'),
  account_id_env: z.string().min(1).optional().describe('Environment variable that holds that id'),
  account_id_command: argv.optional().describe('Program (argv) that prints that id'),
  cache_ttl_secs: z.number().nonnegative().default(300).describe('How long a printed token is kept'),
  timeout_secs: z.number().positive().max(600).default(30).describe('How long the program may take'),
}).strict().superRefine((value, context) => {
  for (const { key, message } of accountProblems(value)) context.addIssue({ code: 'custom', path: [key], message })
})

/** An account as it is written. */
export type AccountRecord = z.infer<typeof accountSchema>

/** `[accounts.<id>]` of the config file. */
export const accountsConfig = z.record(z.string().regex(accountIdPattern), accountSchema).prefault({}).describe(
  'Accounts by name',
)
