import { type Vendor, vendorDefaults } from './vendor.ts'

/**
 * Gemini CLI's Google login.
 *
 * @see https://github.com/google-gemini/gemini-cli
 */
export const gemini: Vendor = {
  ...vendorDefaults,
  id: 'gemini',
  name: 'Gemini CLI',
  aliases: ['gemini-cli', 'google-gemini-cli'],
  file: 'gemini',
  provider: 'google',
  docs: 'https://github.com/google-gemini/gemini-cli/blob/main/docs/get-started/authentication.md',
  clientId: '681255809395-oo8ft2oprdrnp9e3aqf6av3hmdib135j.apps.googleusercontent.com',
  clientSecretEnv: 'GEMINI_OAUTH_CLIENT_SECRET',
  clientAuth: 'post',
  authorizeUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
  authorizeParams: { access_type: 'offline', prompt: 'consent' },
  redirect: { host: '127.0.0.1', ports: [0], path: '/oauth2callback', hosted: null },
  tokenUrl: 'https://oauth2.googleapis.com/token',
  scopes: [
    'https://www.googleapis.com/auth/cloud-platform',
    'https://www.googleapis.com/auth/userinfo.email',
    'https://www.googleapis.com/auth/userinfo.profile',
  ],
  revokeUrl: 'https://oauth2.googleapis.com/revoke',
  audience: ['https://cloudcode-pa.googleapis.com'],
  uses: [
    {
      use: 'native',
      entitlement: 'native',
      page: 'https://github.com/google-gemini/gemini-cli/blob/main/docs/resources/tos-privacy.md',
      note: 'Gemini CLI itself.',
    },
    {
      use: 'api',
      entitlement: 'undocumented',
      page: 'https://ai.google.dev/gemini-api/docs/api-key',
      note: 'Other clients use a Gemini API key or Vertex.',
    },
  ],
}
