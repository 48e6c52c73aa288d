import { type Vendor, vendorDefaults } from './vendor.ts'

const resource = 'https://api.openai.com/v1'

/**
 * Sign in with ChatGPT: the documented way for other programs to use a ChatGPT plan. gw registers itself as a client.
 * The endpoints, that of registration included, are what its issuer's metadata names. Issuer, scopes and resource are not
 * verified: `[logins.siwc]` overrides each.
 *
 * @see https://developers.openai.com/siwc
 */
export const siwc: Vendor = {
  ...vendorDefaults,
  id: 'siwc',
  name: 'Sign in with ChatGPT',
  aliases: ['sign-in-with-chatgpt'],
  file: 'siwc',
  provider: 'openai',
  docs: 'https://developers.openai.com/siwc',
  issuer: 'https://auth.openai.com',
  registers: true,
  authorizeParams: { resource },
  tokenParams: { resource },
  redirect: { host: '127.0.0.1', ports: [14035, 14036], path: '/callback', hosted: null },
  scopes: ['offline_access', 'resource.invoke', 'chatgpt.tokens.use.direct'],
  audience: ['https://api.openai.com'],
  uses: [{
    use: 'api',
    entitlement: 'documented',
    page: 'https://developers.openai.com/siwc',
    note: 'For open-source programs that run on their own user’s machine; each plan has a weekly cap per app.',
  }],
}
