import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger, TokenId } from '../base/mod.ts'
import { ensurePrivateDir, writeAtomic } from '../platform/mod.ts'
import { everything, noLimits } from './grant.ts'
import { decodeBin, decodeLino, encodeBin, encodeLino, mergeTokens, type RouterToken } from './router-files.ts'
import type { AccessToken, TokenStore } from './store.ts'

/** Which files beside the database hold the list of tokens. */
export type StoragePolicy = 'memory' | 'text' | 'binary' | 'both'

/** Keeps `tokens.lino` and `tokens.bin` as copies of the store. */
export interface Mirror {
  /** The tokens have changed; the files follow, one writing at a time. */
  changed(): void
  /** Resolves when the files say what the store says. */
  settled(): Promise<void>
}

/** What the files write for a token that never runs out: the last second of the year 9999. */
const never = 253_402_300_799

/** A {@link Mirror} in `folder`; the database stays the truth. */
export function mirror(
  store: TokenStore,
  folder: string,
  policy: () => StoragePolicy,
  logger: Logger,
): Mirror {
  let dirty = false
  let writing: Promise<void> | null = null

  async function write(): Promise<void> {
    try {
      while (dirty) {
        dirty = false
        const tokens = await exportTokens(store)
        await ensurePrivateDir(folder)
        const files = policy()
        if (files === 'text' || files === 'both') await writeAtomic(join(folder, 'tokens.lino'), encodeLino(tokens))
        if (files === 'binary' || files === 'both') await writeAtomic(join(folder, 'tokens.bin'), encodeBin(tokens))
      }
    } catch (error) {
      logger.log('warn', 'access.mirror_failed', { folder, error })
    } finally {
      writing = null
    }
  }

  return {
    changed() {
      if (policy() === 'memory') return
      dirty = true
      writing ??= write()
    },
    async settled() {
      while (writing) await writing
    },
  }
}

/** Every token of the store as the router's files hold it. */
async function exportTokens(store: TokenStore): Promise<readonly RouterToken[]> {
  const out: RouterToken[] = []
  let cursor: string | undefined
  do {
    const page = await store.list({ limit: 1_000, cursor })
    for (const token of page.tokens) {
      out.push({
        id: token.id,
        label: token.label,
        issuedAt: Math.floor(token.issuedAt / 1000),
        expiresAt: token.expiresAt === null ? never : Math.floor(token.expiresAt / 1000),
        revoked: token.revokedAt !== null,
        account: token.grant.account,
      })
    }
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
  return out
}

/**
 * The tokens of a router's data folder; where both files are there the text counts, as for the router itself.
 *
 * @throws GwError `config.invalid` when a file is damaged
 */
export async function readRouterTokens(folder: string): Promise<readonly RouterToken[]> {
  const [text, binary] = await Promise.all(
    [join(folder, 'tokens.lino'), join(folder, 'tokens.bin')].map((path) => readFile(path).catch(absent)),
  )
  return mergeTokens(
    text ? decodeLino(new TextDecoder().decode(text)) : [],
    binary ? decodeBin(binary) : [],
  )
}

/** A router's token as one of ours: it may read and call models, as it could there. */
export function adoptToken(token: RouterToken, now: number): AccessToken {
  return {
    id: token.id as TokenId,
    label: token.label,
    issuedAt: token.issuedAt * 1000,
    expiresAt: token.expiresAt >= never ? null : token.expiresAt * 1000,
    revokedAt: token.revoked ? now : null,
    parent: null,
    issuer: 'import',
    grant: { ...everything, scopes: ['read', 'write'], account: token.account, limits: noLimits, depth: 0 },
  }
}

function absent(error: unknown): null {
  if ((error as { code?: string }).code === 'ENOENT') return null
  throw error
}
