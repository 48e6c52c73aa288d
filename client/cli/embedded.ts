import { GwError, Secret } from '../../lib/base/mod.ts'

/** Replaced by a bundler's `--define` with the text of a credentials file. Never set in a published build. */
declare const GW_EMBED_ANTHROPIC_CREDENTIALS_JSON: string | object | undefined
/** Likewise, with the name that they are shown by. */
declare const GW_EMBED_ANTHROPIC_CREDENTIALS_NAME: string | undefined

/** Claude credentials that a build carries. */
export interface EmbeddedCredentials {
  readonly name: string
  readonly accessToken: Secret | null
  readonly apiKey: Secret | null
  /** Epoch ms; `null` when nobody said. */
  readonly expiresAt: number | null
}

/** The Claude credentials that this build carries, or `null`. @throws GwError `credential.unavailable` for nonsense */
export async function embeddedAnthropic(): Promise<EmbeddedCredentials | null> {
  const defined = typeof GW_EMBED_ANTHROPIC_CREDENTIALS_JSON === 'undefined'
    ? null
    : GW_EMBED_ANTHROPIC_CREDENTIALS_JSON
  if (defined === null) return null
  const { readPayload } = await import('../../lib/credentials/mod.ts')
  let payload
  try {
    payload = readPayload(typeof defined === 'string' ? JSON.parse(defined) : defined)
  } catch {
    payload = null
  }
  if (!payload) {
    throw new GwError('credential.unavailable', 'the credentials embedded in this build are not understood', {
      hint: 'build it again from a Claude credentials file',
    })
  }
  const secret = (value: string | null) => value === null ? null : new Secret(value)
  return {
    name: typeof GW_EMBED_ANTHROPIC_CREDENTIALS_NAME === 'string' ? GW_EMBED_ANTHROPIC_CREDENTIALS_NAME : 'embedded',
    accessToken: secret(payload.accessToken),
    apiKey: secret(payload.apiKey),
    expiresAt: payload.expiresAt,
  }
}
