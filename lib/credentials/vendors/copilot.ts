import { type Vendor, vendorDefaults } from './vendor.ts'

/**
 * GitHub Copilot: a GitHub login, swapped for a token of about 30 minutes.
 *
 * @see https://docs.github.com/en/copilot
 */
export const copilot: Vendor = {
  ...vendorDefaults,
  id: 'copilot',
  name: 'GitHub Copilot',
  aliases: ['github-copilot', 'gh-copilot'],
  file: 'github-copilot',
  provider: 'github-copilot',
  docs: 'https://docs.github.com/en/copilot',
  clientId: 'Iv1.b507a08c87ecfe98',
  tokenUrl: 'https://github.com/login/oauth/access_token',
  scopes: ['read:user'],
  device: {
    style: 'rfc8628',
    url: 'https://github.com/login/device/code',
    pollUrl: 'https://github.com/login/oauth/access_token',
    verifyUrl: 'https://github.com/login/device',
    redirectUri: null,
  },
  exchangeUrl: 'https://api.github.com/copilot_internal/v2/token',
  audience: ['https://api.individual.githubcopilot.com', 'https://api.githubcopilot.com'],
  uses: [
    {
      use: 'native',
      entitlement: 'native',
      page: 'https://docs.github.com/en/copilot',
      note: 'The Copilot clients.',
    },
    {
      use: 'api',
      entitlement: 'undocumented',
      page: 'https://github.com/github/copilot-sdk',
      note: 'For other clients GitHub documents the Copilot SDK.',
    },
  ],
}
