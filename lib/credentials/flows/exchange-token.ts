import { GwError, Secret } from '../../base/mod.ts'
import type { Grant } from '../grants/grant.ts'
import { type TokenContext, tokenDocument, tokenRequest } from '../token-endpoint.ts'
import type { Vendor } from '../vendors/vendor.ts'
import { clientAuthentication, type ExchangeContext } from './exchange-code.ts'

/** What is asked for in exchange for a login's token. */
export interface TokenExchange {
  /** Which token of the login is handed over. */
  readonly subject: 'access' | 'id'
  /** `access`, `id`, `jwt`, or a token type URI. Absent: what the vendor gives. */
  readonly requested?: string
  /** Whom the new token is for, by name. */
  readonly audience?: string
  /** Whom it is for, by URL. */
  readonly resource?: string
  readonly scopes?: readonly string[]
}

/** A token that was given in exchange. The login stays as it is. */
export interface IssuedToken {
  readonly token: Secret
  /** Its type URI, where the vendor names it. */
  readonly type: string | null
  /** Epoch ms by our clock. */
  readonly expiresAt: number | null
  readonly scopes: readonly string[] | null
}

const grantType = 'urn:ietf:params:oauth:grant-type:token-exchange'
const typePrefix = 'urn:ietf:params:oauth:token-type:'
const typeOf = (name: string): string =>
  name.includes(':') ? name : typePrefix + (name === 'jwt' ? name : `${name}_token`)

/**
 * Exchanges a token of a login for one of another audience, resource or scope, at the login's own token endpoint.
 *
 * @see RFC 8693 §2
 * @throws GwError `credential.unavailable` when the login has no such token, `login.failed` when the vendor refuses,
 * `credential.refresh_failed` when asking again can help
 */
export async function exchangeForToken(
  vendor: Vendor,
  grant: Grant,
  asked: TokenExchange,
  context: ExchangeContext,
): Promise<IssuedToken> {
  const subject = asked.subject === 'id' ? grant.idToken : grant.accessToken
  if (!subject) {
    throw new GwError('credential.unavailable', `the ${vendor.name} login has no ${asked.subject} token`, {
      hint: asked.subject === 'id' ? 'log in again with the scope openid' : 'log in again',
    })
  }
  const { tokenUrl } = await context.discovery.endpointsOf(vendor)
  if (!tokenUrl) {
    throw new GwError('request.unsupported', `${vendor.name} has no token endpoint`, {
      hint: `logins.${vendor.id}.token_url names one`,
    })
  }
  const client = { ...vendor, clientId: grant.clientId ?? vendor.clientId }
  const { headers, body } = clientAuthentication(client, context.clientSecret)
  const { token, expiresAt } = await tokenRequest({
    url: tokenUrl,
    encoding: 'form',
    what: vendor.name,
    ...(headers ? { headers } : {}),
    body: {
      ...body,
      grant_type: grantType,
      subject_token: subject.reveal(),
      subject_token_type: typeOf(asked.subject),
      requested_token_type: asked.requested === undefined ? undefined : typeOf(asked.requested),
      audience: asked.audience,
      resource: asked.resource,
      scope: asked.scopes?.join(' '),
    },
  }, context)
  const type = token.extra.issued_token_type
  return {
    token: new Secret(token.accessToken),
    type: typeof type === 'string' ? type : null,
    expiresAt,
    scopes: token.scopes,
  }
}

/**
 * Mints an API key from a login (OpenAI: token exchange of the id token; Anthropic: with the access token).
 *
 * @throws GwError `credential.unavailable` when the login's account has no organization to mint for
 */
export async function mintApiKey(vendor: Vendor, grant: Grant, context: TokenContext): Promise<Secret> {
  if (!vendor.apiKeyUrl) {
    throw new GwError('request.unsupported', `${vendor.name} mints no API keys`, {
      hint: 'make one on its own pages, then gw auth add-api-key',
    })
  }
  if (grant.idToken) {
    if (!grant.identity.organizationId) {
      throw new GwError(
        'credential.unavailable',
        `the ${vendor.name} login names no organization, so no API key can be made for it`,
        {
          hint: 'finish the set-up of the API organization at the vendor, log in again; its plan token works as it is',
        },
      )
    }
    const { token } = await tokenRequest({
      url: vendor.apiKeyUrl,
      encoding: 'form',
      what: vendor.name,
      body: {
        grant_type: grantType,
        client_id: grant.clientId ?? vendor.clientId ?? undefined,
        requested_token: 'openai-api-key',
        subject_token: grant.idToken.reveal(),
        subject_token_type: typeOf('id'),
      },
    }, context)
    return new Secret(token.accessToken)
  }
  const document = await tokenDocument({
    url: vendor.apiKeyUrl,
    encoding: 'json',
    what: vendor.name,
    body: {},
    headers: { authorization: `Bearer ${grant.accessToken!.reveal()}` },
  }, context)
  if (typeof document.raw_key !== 'string' || document.raw_key === '') {
    throw new GwError('credential.refresh_failed', `${vendor.name} answered without an API key`)
  }
  return new Secret(document.raw_key)
}
