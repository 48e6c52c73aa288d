import { z } from 'zod'
import type { RouterToken } from '../access/mod.ts'
import type { WriteOptions } from '../config/mod.ts'
import { asked } from './config-file.ts'
import { area, operation } from './operation.ts'

const token = z.object({
  id: z.string().min(1).max(200),
  label: z.string().max(1_000),
  issued_at: z.int().describe('epoch seconds'),
  expires_at: z.int().describe('epoch seconds'),
  revoked: z.boolean(),
  account: z.string().max(200).nullable(),
}).strict()

/** What is taken over from other gateways. */
export const migrate = area({
  run: operation({
    summary: 'Take over what a file of another gateway holds, and say what was taken, what was not and why',
    description: 'What is taken replaces the same keys of the config file; an account that is there already stays. ' +
      'Secrets go to the encrypted store.',
    scope: 'admin',
    effect: 'mutates',
    input: z.object({
      system: z.enum(['lr', 'tplumb', 'open-llm-auth', 'litellm']),
      text: z.string().max(900_000).describe('the file itself'),
      name: z.string().min(1).max(255).default('file').describe('its name: `.lenv` files are read in their own way'),
      tokens: z.array(token).max(20_000).optional().describe('client tokens of a router, to go on working here'),
      dry_run: z.boolean().default(false).describe('say what would change, and change nothing'),
    }).strict(),
    output: z.object({
      ok: z.boolean(),
      dryRun: z.boolean(),
      config: z.string(),
      taken: z.array(z.object({ from: z.string(), to: z.string() })),
      left: z.array(z.object({ from: z.string(), why: z.string() })),
      secrets: z.array(z.string()).describe('references in the encrypted store'),
      tokens: z.object({ found: z.int(), added: z.int(), known: z.int(), revoked: z.int() }).nullable(),
    }),
    // A foreign file is secrets from end to end.
    hide: ({ text, tokens, ...input }) => ({
      ...input,
      text: `${String(text).length} characters`,
      tokens: Array.isArray(tokens) ? tokens.length : 0,
    }),
    cli: { hidden: true },
  }).mutation(async ({ ctx: { rooms, principal }, input }) => {
    const { readForeign } = await import('../migrate/mod.ts')
    const { config, env, path } = rooms.config.current()
    const found = await readForeign(input, {
      provider(name) {
        const row = rooms.catalog().provider(name)
        return row && { id: row.id, baseUrls: row.deployments.map(({ baseUrl }) => baseUrl) }
      },
      exists: ([section, name]) => section === 'accounts' && Object.hasOwn(config.accounts, name!),
      env: (name) => env[name],
    })
    const edits = found.changes.map(({ path, value }) => ({ path: [...path], value }))
    await asked(rooms.config.check(edits))
    const tokens: readonly RouterToken[] | null = input.tokens?.map(({ issued_at, expires_at, ...token }) => ({
      ...token,
      issuedAt: issued_at,
      expiresAt: expires_at,
    })) ?? null
    let adopted = { added: 0, known: 0, revoked: 0 }
    if (!input.dry_run) {
      const stored: WriteOptions['with'] = async (tx) => {
        for (const { ref, secret } of found.secrets) await rooms.secrets.put(ref, secret, tx)
      }
      await asked(rooms.config.write(edits, found.secrets.length > 0 ? { with: stored } : {}))
      if (tokens) adopted = { ...adopted, ...await rooms.access.importTokens(tokens, principal) }
    }
    return {
      ok: true,
      dryRun: input.dry_run,
      config: path,
      taken: [...found.taken],
      left: [...found.left],
      secrets: found.secrets.map(({ ref }) => ref),
      tokens: tokens && { found: tokens.length, ...adopted },
    }
  }),
})
