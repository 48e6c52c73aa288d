import type { CapabilityDefinition, DefinitionInput, ProviderDefinition } from './schema.ts'

/** What holds of a probe where nothing is written. */
export const blankProbe = {
  transport: 'http',
  method: 'GET',
  url: '',
  auth: 'bearer',
  timeout_ms: 30_000,
  success_status_min: 200,
  success_status_max: 299,
  hint_body: false,
} as const

/** What holds of a capability where nothing is written. */
export const blankCapability = { proof_status: 'needs_operator_proof' } as const

/** What holds of a definition where nothing is written; lists are empty. */
export const blank = {
  extension_mode: 'schema_only',
  auth: { pkce: true, dpop: false },
  credential: { access_token_path: 'access_token', refresh_token_path: 'refresh_token', token_type: 'bearer' },
  injection: { credential_filename: 'credentials.json' },
  repair: { owner: 'manual_only', refresh_token_response: 'reuse_submitted_if_omitted' },
  rate_limits: { retry_after_header: 'retry-after', quota_threshold_seconds: 3600 },
} as const

/** Members that {@link filled} makes of defaults and what is written. */
type Filled<D, I> =
  & { [K in keyof I as K extends keyof D ? never : K]: I[K] }
  & { [K in keyof D]: K extends keyof I ? Exclude<I[K], undefined> | D[K] : D[K] }

/** What is written over the defaults; a member that is `undefined` is not written. */
function filled<D extends object, I extends object>(defaults: D, written: I | undefined): Filled<D, I> {
  const given = Object.entries(written ?? {}).filter(([, value]) => value !== undefined)
  // Each default stands unless a value of its own type replaces it, which entries cannot say.
  return { ...defaults, ...Object.fromEntries(given) } as Filled<D, I>
}

/**
 * The definition that gw's own code writes down, with its defaults: what {@link definitionSchema} makes of it, without a
 * schema to judge what the compiler has judged already.
 */
export function definitionOf(input: DefinitionInput): ProviderDefinition {
  return {
    ...input,
    extension_mode: input.extension_mode ?? blank.extension_mode,
    auth: filled({ ...blank.auth, grant_types: [] }, input.auth),
    credential: filled(blank.credential, input.credential),
    injection: filled({ ...blank.injection, direct_env: [] }, input.injection),
    detection: filled({ binary_names: [], env_markers: [] }, input.detection),
    runtime: filled({ required_binaries: [], env_vars: [], writable_paths: [], session_paths: [] }, input.runtime),
    repair: filled(blank.repair, input.repair),
    capabilities: (input.capabilities ?? []).map(({ probe, ...rest }): CapabilityDefinition => ({
      ...filled({ ...blankCapability, aliases: [], proof_requirements: [] }, rest),
      ...(probe ? { probe: filled(blankProbe, probe) } : {}),
    })),
    rate_limits: filled(blank.rate_limits, input.rate_limits),
    failure_rules: input.failure_rules ?? [],
  }
}
