import { type Vendor, vendorDefaults } from './vendor.ts'

const claims = 'https://api.openai.com/auth'

/**
 * ChatGPT and Codex.
 *
 * @see https://developers.openai.com/codex/auth
 */
export const chatgpt: Vendor = {
  ...vendorDefaults,
  id: 'chatgpt',
  name: 'ChatGPT',
  aliases: ['openai', 'codex', 'openai-codex'],
  file: 'openai',
  provider: 'openai-codex',
  docs: 'https://developers.openai.com/codex/auth',
  clientId: 'app_EMoamEEZ73f0CkXaXp7hrann',
  authorizeUrl: 'https://auth.openai.com/oauth/authorize',
  authorizeParams: {
    id_token_add_organizations: 'true',
    codex_cli_simplified_flow: 'true',
    originator: 'codex_cli_rs',
  },
  redirect: { host: 'localhost', ports: [1455, 1457], path: '/auth/callback', hosted: null },
  tokenUrl: 'https://auth.openai.com/oauth/token',
  refreshEncoding: 'json',
  scopes: ['openid', 'profile', 'email', 'offline_access'],
  device: {
    style: 'codex',
    url: 'https://auth.openai.com/api/accounts/deviceauth/usercode',
    pollUrl: 'https://auth.openai.com/api/accounts/deviceauth/token',
    verifyUrl: 'https://auth.openai.com/codex/device',
    redirectUri: 'https://auth.openai.com/deviceauth/callback',
  },
  revokeUrl: 'https://auth.openai.com/oauth/revoke',
  apiKeyUrl: 'https://auth.openai.com/oauth/token',
  audience: ['https://chatgpt.com'],
  identity: {
    email: [['email'], ['https://api.openai.com/profile', 'email']],
    accountId: [[claims, 'chatgpt_account_id']],
    userId: [[claims, 'chatgpt_user_id'], [claims, 'user_id'], ['sub']],
    organizationId: [[claims, 'organization_id']],
    projectId: [[claims, 'project_id']],
    plan: [[claims, 'chatgpt_plan_type']],
  },
  maxAgeMs: 8 * 86_400_000,
  uses: [
    {
      use: 'native',
      entitlement: 'native',
      page: 'https://developers.openai.com/codex/auth',
      note: 'Codex signs in with a ChatGPT plan; its requests go through untouched.',
    },
    {
      use: 'passthrough',
      entitlement: 'passthrough',
      page: 'https://developers.openai.com/codex/auth',
      note: "The caller's own plan token, sent to the vendor's origin alone.",
    },
    {
      use: 'api',
      entitlement: 'undocumented',
      page: 'https://developers.openai.com/siwc',
      note: 'For other clients OpenAI documents Sign in with ChatGPT, an app registration of its own.',
    },
  ],
}
