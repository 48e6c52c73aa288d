import { type Vendor, vendorDefaults } from './vendor.ts'

/**
 * Qwen Code's login.
 *
 * @see https://github.com/QwenLM/qwen-code
 */
export const qwen: Vendor = {
  ...vendorDefaults,
  id: 'qwen',
  name: 'Qwen',
  aliases: ['qwen-portal', 'qwen-code'],
  file: 'qwen',
  provider: 'qwen-portal',
  docs: 'https://github.com/QwenLM/qwen-code',
  clientId: 'f0304373b74a44d2b584a3fb70ca9e56',
  tokenUrl: 'https://chat.qwen.ai/api/v1/oauth2/token',
  scopes: ['openid', 'profile', 'email', 'model.completion'],
  device: {
    style: 'rfc8628',
    url: 'https://chat.qwen.ai/api/v1/oauth2/device/code',
    pollUrl: null,
    verifyUrl: null,
    redirectUri: null,
  },
  audience: ['https://portal.qwen.ai', 'https://dashscope.aliyuncs.com'],
  finalStatuses: [400],
  uses: [
    { use: 'native', entitlement: 'native', page: 'https://github.com/QwenLM/qwen-code', note: 'Qwen Code itself.' },
    {
      use: 'api',
      entitlement: 'undocumented',
      page: 'https://github.com/QwenLM/qwen-code',
      note: 'Other clients use a DashScope API key.',
    },
  ],
}
