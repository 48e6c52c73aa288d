import { type Vendor, vendorDefaults, type VendorUse } from './vendor.ts'

/** What differs between services whose OAuth is ordinary: authorize, exchange, maybe refresh. */
interface Connector {
  readonly id: string
  readonly name: string
  /** Class of arctic that builds the authorization URL; absent where it has none. */
  readonly arctic?: string
  readonly authorizeUrl: string
  readonly tokenUrl: string
  readonly refreshUrl?: string
  readonly authorizeParams?: Readonly<Record<string, string>>
  readonly scopes: readonly string[]
  readonly scopeSeparator?: string
  readonly pkce?: boolean
  readonly clientAuth?: 'basic' | 'post'
  readonly audience: readonly string[]
  readonly docs: string
}

const connectors: readonly Connector[] = [
  {
    id: 'discord',
    name: 'Discord',
    arctic: 'Discord',
    authorizeUrl: 'https://discord.com/oauth2/authorize',
    tokenUrl: 'https://discord.com/api/oauth2/token',
    scopes: ['identify'],
    pkce: true,
    audience: ['https://discord.com'],
    docs: 'https://discord.com/developers/docs/topics/oauth2',
  },
  {
    id: 'figma',
    name: 'Figma',
    arctic: 'Figma',
    authorizeUrl: 'https://www.figma.com/oauth',
    tokenUrl: 'https://api.figma.com/v1/oauth/token',
    refreshUrl: 'https://api.figma.com/v1/oauth/refresh',
    scopes: ['file_content:read'],
    audience: ['https://api.figma.com'],
    docs: 'https://developers.figma.com/docs/rest-api/authentication/',
  },
  {
    id: 'github',
    name: 'GitHub',
    arctic: 'GitHub',
    authorizeUrl: 'https://github.com/login/oauth/authorize',
    tokenUrl: 'https://github.com/login/oauth/access_token',
    scopes: ['read:user'],
    audience: ['https://api.github.com', 'https://api.githubcopilot.com'],
    docs: 'https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps',
  },
  {
    id: 'google',
    name: 'Google',
    arctic: 'Google',
    authorizeUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
    tokenUrl: 'https://oauth2.googleapis.com/token',
    authorizeParams: { access_type: 'offline', prompt: 'consent' },
    scopes: ['openid', 'email', 'profile'],
    pkce: true,
    audience: ['https://www.googleapis.com', 'https://generativelanguage.googleapis.com'],
    docs: 'https://developers.google.com/identity/protocols/oauth2/native-app',
  },
  {
    id: 'linear',
    name: 'Linear',
    arctic: 'Linear',
    authorizeUrl: 'https://linear.app/oauth/authorize',
    tokenUrl: 'https://api.linear.app/oauth/token',
    scopes: ['read'],
    scopeSeparator: ',',
    clientAuth: 'post',
    audience: ['https://api.linear.app', 'https://mcp.linear.app'],
    docs: 'https://linear.app/developers/oauth-2-0-authentication',
  },
  {
    id: 'notion',
    name: 'Notion',
    arctic: 'Notion',
    authorizeUrl: 'https://api.notion.com/v1/oauth/authorize',
    tokenUrl: 'https://api.notion.com/v1/oauth/token',
    authorizeParams: { owner: 'user' },
    scopes: [],
    audience: ['https://api.notion.com', 'https://mcp.notion.com'],
    docs: 'https://developers.notion.com/docs/authorization',
  },
  {
    id: 'slack',
    name: 'Slack',
    arctic: 'Slack',
    authorizeUrl: 'https://slack.com/openid/connect/authorize',
    tokenUrl: 'https://slack.com/api/openid.connect.token',
    scopes: ['openid', 'profile', 'email'],
    audience: ['https://slack.com'],
    docs: 'https://docs.slack.dev/authentication/sign-in-with-slack/',
  },
  {
    id: 'vercel',
    name: 'Vercel',
    authorizeUrl: 'https://vercel.com/oauth/authorize',
    tokenUrl: 'https://api.vercel.com/login/oauth/token',
    scopes: ['openid', 'offline_access'],
    pkce: true,
    clientAuth: 'post',
    audience: ['https://api.vercel.com', 'https://mcp.vercel.com'],
    docs: 'https://vercel.com/docs/sign-in-with-vercel',
  },
]

const use = (docs: string): VendorUse => ({
  use: 'api',
  entitlement: 'documented',
  page: docs,
  note: 'An OAuth app of your own, used as its page says.',
})

/** Services that tools connect to. Each needs an OAuth app of its user: `client_id` and a client secret. */
export const connectorVendors: readonly Vendor[] = connectors.map((row): Vendor => ({
  ...vendorDefaults,
  id: row.id,
  name: row.name,
  file: row.id,
  docs: row.docs,
  clientSecretEnv: `${row.id.toUpperCase()}_CLIENT_SECRET`,
  clientAuth: row.clientAuth ?? 'basic',
  authorizeUrl: row.authorizeUrl,
  authorizeParams: row.authorizeParams ?? {},
  pkce: row.pkce ?? false,
  tokenUrl: row.tokenUrl,
  refreshUrl: row.refreshUrl ?? null,
  scopes: row.scopes,
  scopeSeparator: row.scopeSeparator ?? ' ',
  audience: row.audience,
  arctic: row.arctic ?? null,
  uses: [use(row.docs)],
}))
