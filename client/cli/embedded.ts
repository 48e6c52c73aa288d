import { Secret } from '../../lib/base/mod.ts'

/** Replaced by a bundler's `--define` with the text of a credentials file. Never set in a published build. */
declare const GW_EMBED_ANTHROPIC_CREDENTIALS_JSON: string | object | undefined

/** The Claude credentials that this build carries, or `null`. */
export async function embeddedAnthropic(): Promise<{ accessToken: Secret | null; apiKey: Secret | null } | null> {
  const defined = typeof GW_EMBED_ANTHROPIC_CREDENTIALS_JSON === 'undefined'
    ? null
    : GW_EMBED_ANTHROPIC_CREDENTIALS_JSON
  if (defined === null) return null
  const { readPayload } = await import('../../lib/credentials/mod.ts')
  const payload = readPayload(typeof defined === 'string' ? JSON.parse(defined) : defined)
  if (!payload) return null
  const secret = (value: string | null) => value === null ? null : new Secret(value)
  return { accessToken: secret(payload.accessToken), apiKey: secret(payload.apiKey) }
}
