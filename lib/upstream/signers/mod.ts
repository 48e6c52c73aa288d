import { AwsV4Signer } from 'aws4fetch'
import { GwError } from '../../base/mod.ts'
import type { AuthScheme } from '../../catalog/mod.ts'
import type { Credential } from '../../credentials/mod.ts'
import { addToList, type Field, setField } from '../headers.ts'

/** A request that is about to be signed. The signer changes it in place. */
export interface Unsigned {
  readonly method: string
  readonly url: URL
  readonly headers: Field[]
  readonly body: Uint8Array<ArrayBuffer> | null
}

/** Lays a credential on a request in one way. */
export type Signer<Type extends AuthScheme['type']> = (
  request: Unsigned,
  credential: Credential,
  scheme: Extract<AuthScheme, { type: Type }>,
) => void | Promise<void>

/** Beta flag with which a plan token is accepted as a bearer. @see https://docs.anthropic.com/en/api/beta-headers */
const oauthBeta = 'oauth-2025-04-20'

/** The keys inside an AWS credential. */
interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/**
 * AWS Signature Version 4, or the bearer that stands in for it. The region is the one in the host's name.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
 */
async function sigv4(
  { method, url, headers, body }: Unsigned,
  credential: Credential,
  { service }: { readonly service: string },
): Promise<void> {
  if (credential.kind !== 'aws') return setField(headers, 'authorization', `Bearer ${credential.secret.reveal()}`)
  const keys = JSON.parse(credential.secret.reveal()) as AwsKeys
  const region = /\.([a-z]{2}(?:-[a-z]+)+-\d)\./.exec(url.hostname)?.[1] ?? 'us-east-1'
  const signer = new AwsV4Signer({ method, url: url.href, body: body ?? '', service, region, ...keys })
  const signed = await signer.sign()
  for (const name of ['authorization', 'x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256']) {
    const value = signed.headers.get(name)
    if (value !== null) setField(headers, name, value)
  }
}

/** How each scheme lays a credential on a request. */
const signers: { readonly [Type in AuthScheme['type']]: Signer<Type> } = {
  bearer: ({ headers }, credential) => setField(headers, 'authorization', `Bearer ${credential.secret.reveal()}`),
  anthropic({ headers }, credential) {
    if (!headers.some(([name]) => name === 'anthropic-version')) headers.push(['anthropic-version', '2023-06-01'])
    if (credential.kind === 'auth-token') {
      setField(headers, 'authorization', `Bearer ${credential.secret.reveal()}`)
      addToList(headers, 'anthropic-beta', oauthBeta)
    } else setField(headers, 'x-api-key', credential.secret.reveal())
  },
  chatgpt({ headers }, credential) {
    if (credential.accountId === null) {
      throw new GwError('credential.unavailable', 'a ChatGPT token needs its account id', {
        hint: 'set account_id, account_id_env or account_id_command on the account',
      })
    }
    setField(headers, 'authorization', `Bearer ${credential.secret.reveal()}`)
    setField(headers, 'chatgpt-account-id', credential.accountId)
  },
  header: ({ headers }, credential, { name, prefix }) =>
    setField(headers, name.toLowerCase(), `${prefix ?? ''}${credential.secret.reveal()}`),
  query: ({ url }, credential, { name }) => url.searchParams.set(name, credential.secret.reveal()),
  google: ({ headers }, credential) => setField(headers, 'authorization', `Bearer ${credential.secret.reveal()}`),
  none: () => {},
  sigv4,
}

/** Lays the credential on the request by the provider's scheme. */
export function sign(request: Unsigned, credential: Credential, scheme: AuthScheme): void | Promise<void> {
  if (credential.kind === 'none' && scheme.type !== 'none') return
  const signer = signers[scheme.type] as Signer<AuthScheme['type']>
  return signer(request, credential, scheme as never)
}
