import { definitionOf } from './blank.ts'
import type { DefinitionInput, ProviderDefinition } from './schema.ts'

/** Texts by which an agent's own program says that the plan does not include a model. */
const modelNotInPlan = ['model is not supported', 'not supported when using', 'model_not_found', 'does not have access']

/** Rules that hold for any API reached by HTTP, after the provider's own. */
const http: NonNullable<DefinitionInput['failure_rules']> = [
  { status: 401, class: { dead: 'token_revoked' } },
  { status_min: 500, class: { provider_degraded: {} } },
]

/** A one-line prompt, the same each time, so that a probe costs as little as a call can. */
const codexProbe = (model: string | null): DefinitionInput['capabilities'] => [{
  name: model ? 'codex-mini' : 'codex-max',
  aliases: model ? ['mini', model] : ['max', 'gpt-5-codex', 'gpt-5.1-codex-max'],
  proof_status: 'local_live_proven',
  proof_requirements: ['a signed-in store', 'explicit consent: it spends plan quota'],
  probe: {
    transport: 'command',
    command: [
      'codex',
      'exec',
      '--json',
      '--ephemeral',
      '--ignore-rules',
      '--skip-git-repo-check',
      '--sandbox',
      'read-only',
      ...(model ? ['--model', model] : []),
      'Reply with the single word ok.',
    ],
    auth: 'none',
    timeout_ms: 120_000,
    hint_body: true,
    budget: 'spend_provider',
  },
}]

/** What the refusals of MCP servers mean. */
export const toolServerRules: NonNullable<DefinitionInput['failure_rules']> = [
  ...['invalid_target', 'audience', 'resource mismatch', 'resource_mismatch'].map((hint) => ({
    hint_contains: hint,
    class: { degraded: 'audience_mismatch' as const },
  })),
  { hint_contains: 'insufficient_scope', class: { degraded: 'scope_insufficient' } },
  { hint_contains: 'insufficient_user_authentication', class: { degraded: 'step_up_required' } },
  { hint_contains: 'step-up', class: { degraded: 'step_up_required' } },
  { hint_contains: 'step_up', class: { degraded: 'step_up_required' } },
  { hint_contains: 'authorization_pending', class: { degraded: 'pending_verification' } },
  { hint_contains: 'verification', class: { degraded: 'pending_verification' } },
  { status: 403, hint_contains: 'scope', class: { degraded: 'scope_insufficient' } },
  { status: 400, class: { degraded: 'schema_invalid' } },
  { status: 422, class: { degraded: 'schema_invalid' } },
  ...http,
]

/**
 * The built-in providers of stay-afloat, as they would be written in a configuration.
 *
 * Facts of the vendors' own tools (directories, variables, files, status commands); upstreams of the relay are in the
 * catalog. A definition of the same name in the configuration replaces a row.
 */
const rows: readonly DefinitionInput[] = [
  {
    name: 'claude',
    display_name: 'Claude Code',
    extension_mode: 'command_adapter',
    credential: {
      wrapper_key: 'claudeAiOauth',
      access_token_path: 'accessToken',
      refresh_token_path: 'refreshToken',
      expires_at_path: 'expiresAt',
    },
    injection: {
      config_dir_env: 'CLAUDE_CONFIG_DIR',
      credential_filename: '.credentials.json',
      credential_template:
        '{"claudeAiOauth":{"accessToken":"{{access_token}}","refreshToken":"{{refresh_token}}","expiresAt":{{expires_at}}}}',
    },
    detection: { binary_names: ['claude'], env_markers: ['CLAUDE_CONFIG_DIR', 'CLAUDECODE'] },
    runtime: {
      required_binaries: ['claude'],
      env_vars: ['CLAUDE_CONFIG_DIR'],
      writable_paths: ['CLAUDE_CONFIG_DIR'],
      session_paths: ['CLAUDE_CONFIG_DIR/.credentials.json'],
    },
    repair: {
      owner: 'upstream_cli_login',
      login_command: ['claude', 'auth', 'login'],
      login_status_command: ['claude', 'auth', 'status', '--json'],
    },
    capabilities: [{
      name: 'auth-status',
      aliases: ['status'],
      proof_status: 'local_live_proven',
      probe: {
        transport: 'command',
        command: ['claude', 'auth', 'status', '--json'],
        auth: 'none',
        hint_body: true,
        budget: 'free_command',
      },
    }],
    failure_rules: [
      { hint_contains: '"loggedin":false', class: { dead: 'token_revoked' } },
      { hint_contains: '"loggedin": false', class: { dead: 'token_revoked' } },
      { hint_contains: 'not logged in', class: { dead: 'token_revoked' } },
      ...http,
    ],
  },
  {
    name: 'codex',
    display_name: 'Codex',
    extension_mode: 'command_adapter',
    auth: {
      authorization_endpoint: 'https://auth.openai.com/oauth/authorize',
      token_endpoint: 'https://auth.openai.com/oauth/token',
      grant_types: ['authorization_code', 'refresh_token'],
    },
    credential: {
      access_token_path: 'tokens.access_token',
      refresh_token_path: 'tokens.refresh_token',
      api_key_path: 'OPENAI_API_KEY',
    },
    injection: {
      config_dir_env: 'CODEX_HOME',
      credential_filename: 'auth.json',
      credential_template:
        '{"OPENAI_API_KEY":null,"tokens":{"access_token":"{{access_token}}","refresh_token":"{{refresh_token}}"}}',
    },
    detection: { binary_names: ['codex'], env_markers: ['CODEX_HOME'] },
    runtime: {
      required_binaries: ['codex'],
      env_vars: ['CODEX_HOME'],
      writable_paths: ['CODEX_HOME'],
      session_paths: ['CODEX_HOME/auth.json'],
    },
    repair: {
      owner: 'upstream_cli_login',
      refresh_token_response: 'require_rotated',
      login_command: ['codex', 'login', '--device-auth'],
      login_shortcut: ['gw', 'codex', 'login-device'],
      login_status_command: ['codex', 'login', 'status'],
    },
    capabilities: [...codexProbe(null)!, ...codexProbe('gpt-5.1-codex-mini')!],
    failure_rules: [
      ...modelNotInPlan.map((hint) => ({ hint_contains: hint, class: { degraded: 'tier_insufficient' as const } })),
      { hint_contains: 'token_revoked', class: { dead: 'token_revoked' } },
      { hint_contains: 'not logged in', class: { dead: 'token_revoked' } },
      { hint_contains: 'refresh token was already used', class: { dead: 'auth_permanently_failed' } },
      ...http,
    ],
  },
  {
    name: 'gemini',
    display_name: 'Gemini CLI',
    credential: { expires_at_path: 'expiry_date' },
    injection: {
      config_dir_env: 'GEMINI_CLI_HOME',
      credential_filename: 'oauth_creds.json',
      credential_template:
        '{"access_token":"{{access_token}}","refresh_token":"{{refresh_token}}","expiry_date":{{expires_at}},"token_type":"Bearer"}',
    },
    detection: { binary_names: ['gemini'], env_markers: ['GEMINI_CLI_HOME'] },
    runtime: { required_binaries: ['gemini'], env_vars: ['GEMINI_CLI_HOME'], writable_paths: ['GEMINI_CLI_HOME'] },
    repair: { owner: 'upstream_cli_login', login_command: ['gemini'] },
  },
  {
    name: 'vercel',
    display_name: 'Vercel',
    injection: { direct_env: [['VERCEL_TOKEN', 'access_token']] },
    detection: { binary_names: ['vercel', 'vc'], env_markers: ['VERCEL_TOKEN'] },
    repair: { owner: 'external_secret_owner' },
    capabilities: [{
      name: 'user',
      aliases: ['identity'],
      proof_status: 'public_live_proven',
      probe: { url: 'https://api.vercel.com/v2/user' },
    }],
    failure_rules: http as DefinitionInput['failure_rules'],
  },
  {
    name: 'github',
    display_name: 'GitHub',
    injection: { direct_env: [['GH_TOKEN', 'access_token']] },
    detection: { binary_names: ['gh'], env_markers: ['GH_TOKEN', 'GITHUB_TOKEN'] },
    repair: { owner: 'external_secret_owner', login_status_command: ['gh', 'auth', 'status'] },
    capabilities: [{
      name: 'user',
      aliases: ['identity'],
      proof_status: 'public_live_proven',
      probe: { url: 'https://api.github.com/user', hint_header: 'x-ratelimit-remaining' },
    }],
    rate_limits: {
      remaining_header: 'x-ratelimit-remaining',
      reset_header: 'x-ratelimit-reset',
      limit_header: 'x-ratelimit-limit',
    },
    failure_rules: [
      { status: 403, hint_equals: '0', class: { rate_limited: {} } },
      { status: 403, class: { degraded: 'scope_insufficient' } },
      ...http,
    ],
  },
  {
    name: 'linear',
    display_name: 'Linear',
    injection: { direct_env: [['LINEAR_ACCESS_TOKEN', 'access_token']] },
    detection: { binary_names: ['linear'], env_markers: ['LINEAR_ACCESS_TOKEN', 'LINEAR_API_KEY'] },
    repair: { owner: 'external_secret_owner' },
    capabilities: [
      linearViewer('viewer', ['identity'], 'bearer'),
      linearViewer('viewer-api-key', ['api-key'], 'authorization_header'),
    ],
    failure_rules: [
      { status_min: 200, status_max: 299, hint_contains: '"errors"', class: { degraded: 'unknown_4xx' } },
      ...http,
    ],
  },
  {
    name: 'figma',
    display_name: 'Figma',
    injection: { direct_env: [['FIGMA_ACCESS_TOKEN', 'access_token']] },
    detection: { binary_names: [], env_markers: ['FIGMA_ACCESS_TOKEN'] },
    repair: { owner: 'external_secret_owner' },
    capabilities: [
      {
        name: 'identity',
        proof_status: 'public_live_proven',
        probe: { url: 'https://api.figma.com/v1/me', hint_body: true },
      },
      {
        name: 'identity-pat',
        proof_status: 'public_live_proven',
        probe: {
          url: 'https://api.figma.com/v1/me',
          auth: 'token_header',
          auth_header: 'X-Figma-Token',
          hint_body: true,
        },
      },
      {
        name: 'file-metadata-plan',
        proof_requirements: ['OMUX_FIGMA_PLAN_FILE_KEY names a file of the plan'],
        probe: {
          url: 'https://api.figma.com/v1/files/{{OMUX_FIGMA_PLAN_FILE_KEY}}/meta',
          auth: 'token_header',
          auth_header: 'X-Figma-Token',
          hint_body: true,
        },
      },
    ],
    failure_rules: [
      { status: 403, hint_contains: 'invalid token', class: { dead: 'token_revoked' } },
      { status: 403, hint_contains: 'scope', class: { degraded: 'scope_insufficient' } },
      ...http,
    ],
  },
  {
    name: 'flakehub',
    display_name: 'FlakeHub',
    extension_mode: 'command_adapter',
    detection: { binary_names: ['determinate-nixd', 'fh'], env_markers: [] },
    runtime: { required_binaries: ['determinate-nixd'] },
    repair: {
      owner: 'upstream_cli_login',
      login_command: ['determinate-nixd', 'login'],
      login_status_command: ['determinate-nixd', 'status'],
    },
    capabilities: [{
      name: 'login-status',
      aliases: ['status'],
      proof_status: 'local_live_proven',
      probe: {
        transport: 'command',
        command: ['determinate-nixd', 'status'],
        auth: 'none',
        hint_body: true,
        budget: 'free_command',
      },
    }],
    failure_rules: [{ hint_contains: 'logged in: false', class: { dead: 'token_revoked' } }, ...http],
  },
  {
    name: 'mcp',
    display_name: 'MCP resource server',
    extension_mode: 'transport_adapter',
    injection: { direct_env: [['MCP_TOKEN', 'access_token']] },
    detection: { binary_names: [], env_markers: ['MCP_TOKEN'] },
    repair: { owner: 'external_secret_owner' },
    capabilities: [
      {
        name: 'resource-metadata',
        aliases: ['metadata'],
        proof_requirements: ['OMUX_MCP_RESOURCE_METADATA_URL names its metadata document'],
        probe: { url: '{{OMUX_MCP_RESOURCE_METADATA_URL}}', auth: 'none' },
      },
      {
        name: 'resource',
        proof_requirements: ['OMUX_MCP_RESOURCE_PROBE_URL names a URL of the resource'],
        probe: { url: '{{OMUX_MCP_RESOURCE_PROBE_URL}}', hint_header: 'www-authenticate' },
      },
    ],
    failure_rules: toolServerRules,
  },
]

function linearViewer(
  name: string,
  aliases: string[],
  auth: 'bearer' | 'authorization_header',
): NonNullable<DefinitionInput['capabilities']>[number] {
  return {
    name,
    aliases,
    proof_status: 'public_live_proven',
    probe: {
      method: 'POST',
      url: 'https://api.linear.app/graphql',
      content_type: 'application/json',
      body: '{"query":"query { viewer { id } }"}',
      auth,
      hint_body: true,
    },
  }
}

/** The definitions that come with gw, by kind. */
export function builtinDefinitions(): ReadonlyMap<string, ProviderDefinition> {
  return new Map(rows.map((row) => [row.name, definitionOf(row)]))
}

/** The kinds of {@link builtinDefinitions}. */
export const builtinKinds: readonly string[] = rows.map((row) => row.name)

/** What is assumed of a provider that nothing describes: no probe, no repair, a bearer token. */
export function genericDefinition(name: string): ProviderDefinition {
  return definitionOf({ name, display_name: name })
}
