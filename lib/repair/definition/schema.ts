import { z } from 'zod'

/** What an action costs whoever allows it, cheapest first. */
export const budgets = [
  'free_local',
  'free_command',
  'cheap_provider',
  'spend_provider',
  'interactive',
  'mutating',
] as const

/** A cost class; the admission policy names the ones that may run unasked. */
export type Budget = typeof budgets[number]

/** Who mends a broken credential of a provider. */
const repairOwners = [
  'oauth_mux_refresh',
  'upstream_cli_login',
  'external_secret_owner',
  'manual_only',
] as const

/** See {@link repairOwners}: `oauth_mux_refresh` is a refresh by us, and keeps the name that existing files use. */
export type RepairOwner = typeof repairOwners[number]

const degradedReasons = [
  'tier_insufficient',
  'subscription_paused',
  'provider_degraded',
  'scope_insufficient',
  'audience_mismatch',
  'schema_invalid',
  'terms_required',
  'step_up_required',
  'pending_verification',
  'unknown_4xx',
] as const

const deadReasons = ['token_revoked', 'account_deleted', 'auth_permanently_failed', 'credential_unavailable'] as const

const text = z.string().min(1, 'must not be empty')
const empty = z.strictObject({})

/** What an outcome means, as a failure rule says it: exactly one key. */
const failureClassSchema = z.union([
  z.strictObject({ dead: z.enum(deadReasons) }),
  z.strictObject({ degraded: z.enum(degradedReasons) }),
  z.strictObject({ rate_limited: empty }),
  z.strictObject({ quota_exhausted: empty }),
  z.strictObject({ provider_degraded: empty }),
  z.strictObject({ success: empty }),
  z.strictObject({ failure: empty }),
], { error: 'must name one class: dead, degraded, rate_limited, quota_exhausted, provider_degraded, success, failure' })

const status = z.int().min(100).max(599)
const seconds = z.int().min(0)

/** Matchers that must all hold, and the class that then applies. */
const failureRuleSchema = z.strictObject({
  status: status.optional().describe('Exactly this HTTP status'),
  status_min: status.optional().describe('This HTTP status or higher'),
  status_max: status.optional().describe('This HTTP status or lower'),
  retry_after_gte: seconds.optional().describe('The provider asks to wait at least this many seconds'),
  retry_after_lt: seconds.optional().describe('The provider asks to wait fewer seconds than this'),
  hint_equals: z.string().optional().describe('The hint text, without regard to case'),
  hint_contains: z.string().optional().describe('A part of the hint text, without regard to case'),
  class: failureClassSchema.describe('What it means'),
})

/** One way to find out whether a capability works, at a known cost. */
const probeSchema = z.strictObject({
  transport: z.enum(['http', 'command']).default('http').describe('How it is asked'),
  method: z.string().default('GET').describe('GET, POST or HEAD'),
  url: z.string().default('').describe('May hold {{NAME}} from the environment'),
  body: z.string().optional().describe('Sent with POST'),
  content_type: text.optional().describe('Media type of the body'),
  command: z.array(z.string()).optional().describe('Program and arguments, never a shell line'),
  auth: z.enum(['bearer', 'authorization_header', 'token_header', 'none']).default('bearer')
    .describe('How the credential is laid on the request'),
  auth_header: z.string().optional().describe('The header of token_header'),
  timeout_ms: z.int().default(30_000).describe('Deadline of the whole probe, milliseconds'),
  success_status_min: status.default(200).describe('Lowest status that is a success'),
  success_status_max: status.default(299).describe('Highest status that is a success'),
  hint_header: text.optional().describe('Header whose value is the hint'),
  hint_body: z.boolean().default(false).describe('Whether the body is the hint'),
  budget: z.enum(budgets).optional().describe('Its cost; cheap_provider for http and free_command for command'),
})

const strings = z.array(z.string()).default([])

/** Everything gw knows about a provider that is not an upstream of the relay: data, never code. */
export const definitionSchema = z.strictObject({
  name: z.string().describe('Its kind'),
  display_name: z.string().optional().describe('For people'),
  extension_mode: z.enum([
    'schema_only',
    'command_adapter',
    'secret_backend_adapter',
    'transport_adapter',
    'compiled_provider_adapter',
  ]).default('schema_only').describe('How it is supported'),
  auth: z.strictObject({
    discovery_url: text.optional(),
    token_endpoint: text.optional(),
    authorization_endpoint: text.optional(),
    revocation_endpoint: text.optional(),
    device_authorization_endpoint: text.optional(),
    client_id: text.optional(),
    pkce: z.boolean().default(true),
    dpop: z.boolean().default(false),
    grant_types: strings,
  }).prefault({}).describe('Its OAuth endpoints'),
  credential: z.strictObject({
    access_token_path: z.string().default('access_token').describe('Dot path'),
    refresh_token_path: z.string().default('refresh_token').describe('Dot path'),
    expires_at_path: z.string().optional().describe('Dot path, epoch seconds or milliseconds'),
    expires_in_path: z.string().optional().describe('Dot path, seconds'),
    api_key_path: z.string().optional().describe('Dot path; tried first'),
    wrapper_key: z.string().optional().describe('Member that holds all of it'),
    token_type: z.string().default('bearer'),
  }).prefault({}).describe('Where the parts of a stored credential are'),
  injection: z.strictObject({
    config_dir_env: z.string().optional().describe('Variable that names the directory of its configuration'),
    credential_filename: z.string().default('credentials.json').describe('File rendered into a private directory'),
    credential_template: z.string().optional().describe('Its text, with {{access_token}}, {{refresh_token}}, …'),
    direct_env: z.array(z.tuple([z.string(), z.string()])).default([]).describe('Variables set from the credential'),
  }).prefault({}).describe('How a program gets the credential'),
  detection: z.strictObject({
    binary_names: strings.describe('Programs that mean this provider'),
    env_markers: strings.describe('Variables that mean this provider'),
  }).prefault({}),
  runtime: z.strictObject({
    required_binaries: strings,
    env_vars: strings,
    writable_paths: strings,
    session_paths: strings.describe('Such as CODEX_HOME/auth.json: the first part names a variable'),
  }).prefault({}).describe('What must be there on this machine'),
  repair: z.strictObject({
    owner: z.enum(repairOwners).default('manual_only').describe('Who mends a broken credential'),
    refresh_token_response: z.enum(['require_rotated', 'reuse_submitted_if_omitted'])
      .default('reuse_submitted_if_omitted').describe('Whether a refresh must bring a new refresh token'),
    login_command: z.array(z.string()).optional().describe('Program and arguments of its own login'),
    login_shortcut: z.array(z.string()).optional()
      .describe('A shorter line that starts the login; the account is added to it'),
    login_status_command: z.array(z.string()).optional().describe('Program and arguments that say who is logged in'),
  }).prefault({}),
  capabilities: z.array(z.strictObject({
    name: z.string(),
    aliases: strings,
    proof_status: z.enum(['needs_operator_proof', 'live_proven', 'local_live_proven', 'public_live_proven'])
      .default('needs_operator_proof'),
    proof_requirements: strings,
    probe: probeSchema.optional(),
  })).default([]),
  rate_limits: z.strictObject({
    retry_after_header: z.string().default('retry-after'),
    remaining_header: z.string().optional(),
    reset_header: z.string().optional(),
    limit_header: z.string().optional(),
    quota_threshold_seconds: z.int().min(0).default(3600).describe('A longer wait than this is a spent quota'),
  }).prefault({}),
  failure_rules: z.array(failureRuleSchema).default([]).describe('First match wins'),
})

/** A provider as data. Made by parsing: every default is filled in. */
export type ProviderDefinition = z.output<typeof definitionSchema>
/** A provider as it is written down. */
export type DefinitionInput = z.input<typeof definitionSchema>
/** One capability of a {@link ProviderDefinition}. */
export type CapabilityDefinition = ProviderDefinition['capabilities'][number]
/** A probe with its defaults. */
export type Probe = z.output<typeof probeSchema>
/** A failure rule. */
export type FailureRule = z.output<typeof failureRuleSchema>
/** What a failure rule says. */
export type FailureClass = z.output<typeof failureClassSchema>

/** The cost class of a probe: its own, or the usual one of its transport. */
export function probeBudget(probe: Probe): Budget {
  return probe.budget ?? (probe.transport === 'command' ? 'free_command' : 'cheap_provider')
}

/** The capability that a name or one of its aliases means; `undefined` when the provider has none of that name. */
export function findCapability(definition: ProviderDefinition, name: string): CapabilityDefinition | undefined {
  return definition.capabilities.find((capability) => capability.name === name) ??
    definition.capabilities.find((capability) => capability.aliases.includes(name))
}
