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

const unsupported = (type: string) => (): never => {
  throw new GwError('request.unsupported', `signing by ${type} is not part of this deployment's envelope`)
}

/** How each scheme lays a credential on a request. */
export const signers: { readonly [Type in AuthScheme['type']]: Signer<Type> } = {
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
  sigv4: unsupported('sigv4'),
}

/** Lays the credential on the request by the provider's scheme. */
export function sign(request: Unsigned, credential: Credential, scheme: AuthScheme): void | Promise<void> {
  if (credential.kind === 'none' && scheme.type !== 'none') return
  const signer = signers[scheme.type] as Signer<AuthScheme['type']>
  return signer(request, credential, scheme as never)
}
