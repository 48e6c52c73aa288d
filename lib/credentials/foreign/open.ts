import { GwError, isObject, Secret } from '../../base/mod.ts'
import { statFile } from '../../platform/mod.ts'
import type { Keychain } from '../../secrets/mod.ts'
import { documentFile, everyStore, keychainDocument } from '../grants/document-file.ts'
import { type Grant, unknownIdentity } from '../grants/grant.ts'
import { fileVersion, lockPathOf, readLogin } from '../grants/own-file.ts'
import type { GrantStore } from '../grants/store.ts'
import type { Vendor } from '../vendors/vendor.ts'
import { type ForeignTool, foreignTools } from './tools.ts'

/** What foreign logins are opened with. */
export interface ForeignContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly keychain: Keychain | null
}

/** The program of that name. @throws GwError `request.not_found` */
export function foreignTool(id: string): ForeignTool {
  const tool = foreignTools.find((tool) => tool.id === id || tool.vendor === id)
  if (tool) return tool
  throw new GwError('request.not_found', `no program ${id} whose login can be shared`, {
    hint: `known are ${foreignTools.map((tool) => tool.id).join(', ')}`,
  })
}

/**
 * The login of another program: the file that was named, else the first of its usual files that exists, together with
 * its keychain item where that is one. Reads the newest, writes all.
 */
export async function openForeign(
  tool: ForeignTool,
  vendor: Vendor,
  path: string | null,
  context: ForeignContext,
): Promise<GrantStore> {
  const paths = tool.paths(context.env)
  const file = path ?? await firstExisting(paths) ?? paths[0]!
  if (tool.id === 'copilot') return copilotApps(file, vendor)
  const stores: [GrantStore, ...GrantStore[]] = [documentFile(file, vendor, tool.shape)]
  const item = path === null ? tool.keychain(context.env) : null
  if (item && context.keychain && await context.keychain.present()) {
    stores.push(keychainDocument(item, file, vendor, tool.shape, context.keychain))
  }
  return everyStore(stores)
}

async function firstExisting(paths: readonly string[]): Promise<string | null> {
  for (const path of paths) if (await statFile(path).catch(() => null)) return path
  return null
}

/** Copilot's editors keep `{"github.com[:app]": {oauth_token, user}}`: one long-lived token per host, never written. */
function copilotApps(path: string, vendor: Vendor): GrantStore {
  const readOnly = () =>
    Promise.reject(new GwError('credential.unavailable', `${path} belongs to the Copilot editors and is not written`))
  return {
    name: path,
    lockPath: lockPathOf(path),
    async read(): Promise<Grant | null> {
      const text = await readLogin(path, 1024 * 1024)
      let document: unknown = null
      try {
        document = text === null ? null : JSON.parse(text)
      } catch (cause) {
        throw new GwError('credential.unavailable', `${path} is not valid JSON: it may be half-written`, { cause })
      }
      const apps = isObject(document) ? Object.entries(document) : []
      for (const [host, app] of apps) {
        if (!/^github\.com(:|$)/.test(host) || !isObject(app) || typeof app.oauth_token !== 'string') continue
        return {
          vendor: vendor.id,
          accessToken: new Secret(app.oauth_token),
          refreshToken: null,
          idToken: null,
          expiresAt: null,
          refreshedAt: null,
          scopes: [],
          identity: { ...unknownIdentity, userId: typeof app.user === 'string' ? app.user : null },
          clientId: vendor.clientId,
          resourceUrl: null,
        }
      }
      return null
    },
    version: () => fileVersion(path),
    prepare: readOnly,
    write: readOnly,
    remove: readOnly,
  }
}
