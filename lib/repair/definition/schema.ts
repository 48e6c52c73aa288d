import { z } from 'zod'
import { once } from '../../base/mod.ts'
import { blank, blankCapability as capability, blankProbe as probe } from './blank.ts'
import { budgets } from './budget.ts'

/** Who mends a broken credential of a provider. */
const repairOwners = [
  'oauth_mux_refresh',
  'upstream_cli_login',
  'external_secret_owner',
  'manual_only',
] as const

/** Why an account serves only in part, as definitions and foreign state files spell it. */
export const degradedReasons = [
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

const schemas = once(() => {
  const text = z.string().min(1, 'must not be empty')
  const empty = z.strictObject({})

  /** What an outcome means, as a failure rule says it: exactly one key. */
  const failureClass = z.union([
    z.strictObject({ dead: z.enum(deadReasons) }),
    z.strictObject({ degraded: z.enum(degradedReasons) }),
    z.strictObject({ rate_limited: empty }),
    z.strictObject({ quota_exhausted: empty }),
    z.strictObject({ provider_degraded: empty }),
    z.strictObject({ success: empty }),
    z.strictObject({ failure: empty }),
  ], {
    error: 'must name one class: dead, degraded, rate_limited, quota_exhausted, provider_degraded, success, failure',
  })

  const status = z.int().min(100).max(599)
  const seconds = z.int().min(0)

  /** Matchers that must all hold, and the class that then applies. */
  const failureRule = z.strictObject({
    status: status.optional().describe('Exactly this HTTP status'),
    status_min: status.optional().describe('This HTTP status or higher'),
    status_max: status.optional().describe('This HTTP status or lower'),
    retry_after_gte: seconds.optional().describe('The provider asks to wait at least this many seconds'),
    retry_after_lt: seconds.optional().describe('The provider asks to wait fewer seconds than this'),
    hint_equals: z.string().optional().describe('The hint text, without regard to case'),
    hint_contains: z.string().optional().describe('A part of the hint text, without regard to case'),
    class: failureClass.describe('What it means'),
  })

  /** One way to find out whether a capability works, at a known cost. */
  const probeShape = z.strictObject({
    transport: z.enum(['http', 'command']).default(probe.transport).describe('How it is asked'),
    method: z.string().default(probe.method).describe('GET, POST or HEAD'),
    url: z.string().default(probe.url).describe('May hold {{NAME}} from the environment'),
    body: z.string().optional().describe('Sent with POST'),
    content_type: text.optional().describe('Media type of the body'),
    command: z.array(z.string()).optional().describe('Program and arguments, never a shell line'),
    auth: z.enum(['bearer', 'authorization_header', 'token_header', 'none']).default(probe.auth)
      .describe('How the credential is laid on the request'),
    auth_header: z.string().optional().describe('The header of token_header'),
    timeout_ms: z.int().default(probe.timeout_ms).describe('Deadline of the whole probe, milliseconds'),
    success_status_min: status.default(probe.success_status_min).describe('Lowest status that is a success'),
    success_status_max: status.default(probe.success_status_max).describe('Highest status that is a success'),
    hint_header: text.optional().describe('Header whose value is the hint'),
    hint_body: z.boolean().default(probe.hint_body).describe('Whether the body is the hint'),
    budget: z.enum(budgets).optional().describe('Its cost; cheap_provider for http and free_command for command'),
  })

  const strings = z.array(z.string()).default([])

  const definition = z.strictObject({
    name: z.string().describe('Its kind'),
    display_name: z.string().optional().describe('For people'),
    extension_mode: z.enum([
      'schema_only',
      'command_adapter',
      'secret_backend_adapter',
      'transport_adapter',
      'compiled_provider_adapter',
    ]).default(blank.extension_mode).describe('How it is supported'),
    auth: z.strictObject({
      discovery_url: text.optional(),
      token_endpoint: text.optional(),
      authorization_endpoint: text.optional(),
      revocation_endpoint: text.optional(),
      device_authorization_endpoint: text.optional(),
      client_id: text.optional(),
      pkce: z.boolean().default(blank.auth.pkce),
      dpop: z.boolean().default(blank.auth.dpop),
      grant_types: strings,
    }).prefault({}).describe('Its OAuth endpoints'),
    credential: z.strictObject({
      access_token_path: z.string().default(blank.credential.access_token_path).describe('Dot path'),
      refresh_token_path: z.string().default(blank.credential.refresh_token_path).describe('Dot path'),
      expires_at_path: z.string().optional().describe('Dot path, epoch seconds or milliseconds'),
      expires_in_path: z.string().optional().describe('Dot path, seconds'),
      api_key_path: z.string().optional().describe('Dot path; tried first'),
      wrapper_key: z.string().optional().describe('Member that holds all of it'),
      token_type: z.string().default(blank.credential.token_type),
    }).prefault({}).describe('Where the parts of a stored credential are'),
    injection: z.strictObject({
      config_dir_env: z.string().optional().describe('Variable that names the directory of its configuration'),
      credential_filename: z.string().default(blank.injection.credential_filename).describe(
        'File rendered into a private directory',
      ),
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
      owner: z.enum(repairOwners).default(blank.repair.owner).describe('Who mends a broken credential'),
      refresh_token_response: z.enum(['require_rotated', 'reuse_submitted_if_omitted'])
        .default(blank.repair.refresh_token_response).describe('Whether a refresh must bring a new refresh token'),
      login_command: z.array(z.string()).optional().describe('Program and arguments of its own login'),
      login_shortcut: z.array(z.string()).optional()
        .describe('A shorter line that starts the login; the account is added to it'),
      login_status_command: z.array(z.string()).optional().describe('Program and arguments that say who is logged in'),
    }).prefault({}),
    capabilities: z.array(z.strictObject({
      name: z.string(),
      aliases: strings,
      proof_status: z.enum(['needs_operator_proof', 'live_proven', 'local_live_proven', 'public_live_proven'])
        .default(capability.proof_status),
      proof_requirements: strings,
      probe: probeShape.optional(),
    })).default([]),
    rate_limits: z.strictObject({
      retry_after_header: z.string().default(blank.rate_limits.retry_after_header),
      remaining_header: z.string().optional(),
      reset_header: z.string().optional(),
      limit_header: z.string().optional(),
      quota_threshold_seconds: z.int().min(0).default(blank.rate_limits.quota_threshold_seconds).describe(
        'A longer wait than this is a spent quota',
      ),
    }).prefault({}),
    failure_rules: z.array(failureRule).default([]).describe('First match wins'),
  })
  return { definition, failureClass, failureRule, probe: probeShape }
})

/** Everything gw knows about a provider that is not an upstream of the relay: data, never code. */
export const definitionSchema = () => schemas().definition

type Schemas = ReturnType<typeof schemas>

/** A provider as data, every default filled in. */
export type ProviderDefinition = z.output<Schemas['definition']>
/** A provider as it is written down. */
export type DefinitionInput = z.input<Schemas['definition']>
/** One capability of a {@link ProviderDefinition}. */
export type CapabilityDefinition = ProviderDefinition['capabilities'][number]
/** A probe with its defaults. */
export type Probe = z.output<Schemas['probe']>
/** A failure rule. */
export type FailureRule = z.output<Schemas['failureRule']>
/** What a failure rule says. */
export type FailureClass = z.output<Schemas['failureClass']>

/** See {@link repairOwners}: `oauth_mux_refresh` is a refresh by us, and keeps the name that existing files use. */
export type RepairOwner = typeof repairOwners[number]
