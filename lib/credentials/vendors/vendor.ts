/** One use of a login, and what the vendor says about it. */
export interface VendorUse {
  /** `native`: the vendor's own client; `passthrough`: the caller's own plan token; `api`: any client through gw. */
  readonly use: 'native' | 'passthrough' | 'api'
  readonly entitlement: 'native' | 'passthrough' | 'documented' | 'undocumented'
  /** The vendor's page that says so, or that is silent where it would be said. */
  readonly page: string
  readonly note: string
}

/** Where a browser comes back to. */
export interface Redirect {
  /** As registered: `localhost` or `127.0.0.1`. The listener itself is always on 127.0.0.1. */
  readonly host: string
  /** Tried in order; 0 is any free one. */
  readonly ports: readonly number[]
  readonly path: string
  /** A page of the vendor that shows the code for pasting, where there is one. */
  readonly hosted: string | null
}

/** A device login: standard, or OpenAI's own. */
export interface DeviceFlow {
  readonly style: 'rfc8628' | 'codex'
  readonly url: string
  /** Where it is polled, when not the token URL. */
  readonly pollUrl: string | null
  /** What the user visits, when the answer does not say. */
  readonly verifyUrl: string | null
  /** The redirect URI of the exchange that follows OpenAI's flow. */
  readonly redirectUri: string | null
}

/** Where in tokens, token answers and profiles an identity stands: paths, the first that is there wins. */
export interface IdentityPaths {
  readonly email?: readonly (readonly string[])[]
  readonly accountId?: readonly (readonly string[])[]
  readonly userId?: readonly (readonly string[])[]
  readonly organizationId?: readonly (readonly string[])[]
  readonly organization?: readonly (readonly string[])[]
  readonly projectId?: readonly (readonly string[])[]
  readonly plan?: readonly (readonly string[])[]
}

/** Somebody one can log in to. A row of data: every field can be overridden by config and environment. */
export interface Vendor {
  readonly id: string
  readonly name: string
  readonly aliases: readonly string[]
  /** Base name of its login files. */
  readonly file: string
  /** The catalog's provider that an account of this login has; `null` for connectors and issuers. */
  readonly provider: string | null
  readonly docs: string
  readonly clientId: string | null
  /** Where gw registers a client of its own when it has no client id (RFC 7591); `null` where one is registered by hand. */
  readonly registrationUrl: string | null
  /** Whether that is where the issuer's metadata says. */
  readonly registers: boolean
  /** Environment variable of the client secret; `null` for public clients. */
  readonly clientSecretEnv: string | null
  readonly clientAuth: 'none' | 'basic' | 'post'
  /** An OpenID issuer whose metadata gives the endpoints that are `null` here. */
  readonly issuer: string | null
  /** Who answers at its authorization page, where that is known and {@link issuer} is not. @see RFC 9207 */
  readonly answersAs: string | null
  readonly authorizeUrl: string | null
  readonly authorizeParams: Readonly<Record<string, string>>
  readonly redirect: Redirect
  readonly pkce: boolean
  readonly tokenUrl: string | null
  /** Refresh goes elsewhere at some vendors. */
  readonly refreshUrl: string | null
  /** Sent with every token request, such as the `resource` that a token is for. @see RFC 8707 §2.2 */
  readonly tokenParams: Readonly<Record<string, string>>
  readonly tokenEncoding: 'form' | 'json'
  readonly refreshEncoding: 'form' | 'json'
  readonly headers: Readonly<Record<string, string>>
  /** Whether the state goes into the code exchange. */
  readonly sendState: boolean
  readonly scopes: readonly string[]
  readonly scopeSeparator: string
  readonly device: DeviceFlow | null
  readonly revokeUrl: string | null
  /** Answers, to a bearer, who it is. */
  readonly profileUrl: string | null
  /** Mints an API key from a login. */
  readonly apiKeyUrl: string | null
  /** Swaps the login for a short-lived token that is sent instead of it. */
  readonly exchangeUrl: string | null
  /** Origins its tokens may be sent to. */
  readonly audience: readonly string[]
  readonly identity: IdentityPaths
  /** Refreshed when its last refresh is longer ago, whatever its expiry says. */
  readonly maxAgeMs: number | null
  /** Statuses of the token endpoint that mean "sign in again" even without an OAuth error code. */
  readonly finalStatuses: readonly number[]
  /** The class of arctic that builds its authorization URL. */
  readonly arctic: string | null
  readonly uses: readonly VendorUse[]
}

/** The values most vendors have; a row states what differs. */
export const vendorDefaults = {
  aliases: [],
  provider: null,
  clientId: null,
  registrationUrl: null,
  registers: false,
  clientSecretEnv: null,
  clientAuth: 'none',
  issuer: null,
  answersAs: null,
  authorizeUrl: null,
  authorizeParams: {},
  redirect: { host: '127.0.0.1', ports: [0], path: '/callback', hosted: null },
  pkce: true,
  tokenUrl: null,
  refreshUrl: null,
  tokenParams: {},
  tokenEncoding: 'form',
  refreshEncoding: 'form',
  headers: {},
  sendState: false,
  scopes: [],
  scopeSeparator: ' ',
  device: null,
  revokeUrl: null,
  profileUrl: null,
  apiKeyUrl: null,
  exchangeUrl: null,
  audience: [],
  identity: { email: [['email']], userId: [['sub']] },
  maxAgeMs: null,
  finalStatuses: [],
  arctic: null,
  uses: [],
} as const satisfies Partial<Vendor>
