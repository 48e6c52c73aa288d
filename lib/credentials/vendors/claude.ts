import { type Vendor, vendorDefaults } from './vendor.ts'

/**
 * Claude plans.
 *
 * @see https://code.claude.com/docs/en/llm-gateway-protocol
 */
export const claude: Vendor = {
  ...vendorDefaults,
  id: 'claude',
  name: 'Claude',
  aliases: ['anthropic', 'claude-code'],
  file: 'anthropic',
  provider: 'anthropic',
  docs: 'https://code.claude.com/docs/en/llm-gateway-protocol',
  clientId: '9d1c250a-e61b-44d9-88ed-5944d1962f5e',
  authorizeUrl: 'https://claude.ai/oauth/authorize',
  authorizeParams: { code: 'true' },
  redirect: {
    host: 'localhost',
    ports: [0],
    path: '/callback',
    hosted: 'https://platform.claude.com/oauth/code/callback',
  },
  tokenUrl: 'https://platform.claude.com/v1/oauth/token',
  tokenEncoding: 'json',
  refreshEncoding: 'json',
  sendState: true,
  scopes: ['org:create_api_key', 'user:profile', 'user:inference'],
  profileUrl: 'https://api.anthropic.com/api/oauth/profile',
  apiKeyUrl: 'https://api.anthropic.com/api/oauth/claude_cli/create_api_key',
  audience: ['https://api.anthropic.com'],
  identity: {
    email: [['account', 'email_address'], ['account', 'email']],
    accountId: [['account', 'uuid']],
    userId: [['account', 'uuid']],
    organizationId: [['organization', 'uuid']],
    organization: [['organization', 'name']],
    plan: [['organization', 'organization_type'], ['subscriptionType']],
  },
  uses: [
    {
      use: 'native',
      entitlement: 'native',
      page: 'https://code.claude.com/docs/en/llm-gateway-protocol',
      note: 'Claude Code keeps its own login and sends it through; its requests go through untouched.',
    },
    {
      use: 'passthrough',
      entitlement: 'passthrough',
      page: 'https://code.claude.com/docs/en/llm-gateway-protocol',
      note: "The caller's own plan token, sent to the vendor's origin alone.",
    },
    {
      use: 'api',
      entitlement: 'undocumented',
      page: 'https://code.claude.com/docs/en/legal-and-compliance',
      note: "Plan logins are meant for the vendor's own clients; other clients use an API key.",
    },
  ],
}
