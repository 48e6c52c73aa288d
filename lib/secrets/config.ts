import { z } from 'zod'

/** `[secrets]` of the config file. */
export const secretsConfig = z.object({
  key_store: z.enum(['auto', 'keychain', 'file']).default('auto').describe(
    'Where a new home keeps the key of its encrypted secrets: the OS keychain, a 0600 file, or whichever there is',
  ),
}).strict().prefault({})
