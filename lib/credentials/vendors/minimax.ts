import { type Vendor, vendorDefaults } from './vendor.ts'

/**
 * MiniMax: read from its own tool's file; that tool refreshes it.
 *
 * @see https://platform.minimax.io/docs
 */
export const minimax: Vendor = {
  ...vendorDefaults,
  id: 'minimax',
  name: 'MiniMax',
  aliases: ['minimax-portal'],
  file: 'minimax',
  provider: 'minimax-portal',
  docs: 'https://platform.minimax.io/docs',
  audience: ['https://api.minimax.io', 'https://api.minimaxi.com'],
  uses: [
    {
      use: 'api',
      entitlement: 'undocumented',
      page: 'https://platform.minimax.io/docs',
      note: 'Other clients use an API key.',
    },
  ],
}
