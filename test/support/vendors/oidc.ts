import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A certified OpenID provider on a loopback port, with people who log in when their browser is driven. */
export interface OidcIssuer {
  readonly issuer: string
  /** Grants and reuse as the provider's own events tell them. */
  readonly events: string[]
  /** Follows an address as a browser would: logs in as `who`, consents, and comes back to the caller's redirect. */
  visit(url: string, who: string, options?: VisitOptions): Promise<Response>
  /** What the provider says about a token. */
  introspect(token: string): Promise<{ active: boolean; sub?: string; scope?: string; aud?: string }>
  close(): Promise<void>
}

/** How a browser is driven. */
export interface VisitOptions {
  readonly deny?: boolean
  readonly userCode?: string
  /** Stop at the address that leaves the issuer, and give it as the body: what a person would paste. */
  readonly stay?: boolean
}

/** Starts one. Refresh tokens rotate and their reuse ends the grant; PKCE is required. */
export async function oidcIssuer(options: { accessTokenSeconds?: number } = {}): Promise<OidcIssuer> {
  const { warn, info } = console
  // It has advice for whoever runs it in production, said at first use.
  console.warn = console.info = () => {}
  const { default: Provider } = await import('oidc-provider')
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const events: string[] = []
  const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange'
  const device = 'urn:ietf:params:oauth:grant-type:device_code'
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'gw',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token', device, exchange],
      response_types: ['code'],
      redirect_uris: ['http://127.0.0.1/callback'],
    }, {
      client_id: 'api',
      client_secret: 'api-secret',
      grant_types: [],
      response_types: [],
      redirect_uris: [],
    }],
    features: {
      devInteractions: { enabled: true },
      deviceFlow: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => [],
        getResourceServerInfo: (_context: unknown, resource: string) => ({
          scope: 'openid offline_access',
          audience: resource,
          accessTokenFormat: 'opaque',
        }),
        useGrantedResource: () => true,
      },
      revocation: { enabled: true },
    },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: () => true,
    findAccount: (_context: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.test` }),
    }),
    conformIdTokenClaims: false,
    claims: { openid: ['sub'], email: ['email'] },
    scopes: ['openid', 'email', 'offline_access'],
    ttl: {
      AccessToken: options.accessTokenSeconds ?? 3600,
      DeviceCode: 600,
      Session: 600,
      Interaction: 600,
      Grant: 3600,
    },
    cookies: { keys: ['test'] },
  })
  const tokenType = 'urn:ietf:params:oauth:token-type:access_token'
  const refuse = (context: { status: number; body: unknown }, error: string, error_description: string) => {
    Object.assign(context, { status: 400, body: { error, error_description } })
  }
  provider.registerGrantType(exchange, async (context, next) => {
    const { subject_token, subject_token_type, requested_token_type, audience, resource, scope } = context.oidc.params
    const found = await provider.AccessToken.find(subject_token ?? '')
    const target = resource ?? audience
    if (subject_token_type !== tokenType || (requested_token_type ?? tokenType) !== tokenType) {
      refuse(context, 'invalid_request', 'only access tokens are exchanged')
    } else if (!found?.isValid) refuse(context, 'invalid_request', `the subject token ${subject_token} is not valid`)
    else if (target !== undefined && !target.startsWith('https://api.')) {
      refuse(context, 'invalid_target', 'nobody is known by that name')
    } else {
      const { client } = context.oidc
      const granted = scope ?? 'openid'
      const token = new provider.AccessToken({ accountId: found.accountId, client, scope: granted, gty: 'exchange' })
      if (target !== undefined) {
        token.resourceServer = new provider.ResourceServer(target, { scope: granted, accessTokenFormat: 'opaque' })
      }
      context.body = {
        access_token: await token.save(),
        issued_token_type: tokenType,
        token_type: 'Bearer',
        expires_in: 60,
        scope: granted,
      }
    }
    await next?.()
  }, [
    'subject_token',
    'subject_token_type',
    'requested_token_type',
    'audience',
    'resource',
    'scope',
  ])
  for (const event of ['grant.success', 'grant.error', 'grant.revoked'] as const) {
    provider.on(event, (context: { oidc?: { params?: Record<string, unknown> } }, error?: Error) => {
      events.push(
        `${event} ${context.oidc?.params?.grant_type ?? ''} ${error instanceof Error ? error.message : ''}`.trim(),
      )
    })
  }
  server.on('request', provider.callback())
  async function visit(
    start: string,
    who: string,
    { deny = false, userCode, stay = false }: VisitOptions = {},
  ): Promise<Response> {
    const jar = new Map<string, string>()
    let url = start
    let body: URLSearchParams | null = null
    for (let step = 0; step < 30; step++) {
      const response: Response = await fetch(url, {
        method: body ? 'POST' : 'GET',
        body,
        redirect: 'manual',
        headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      })
      for (const cookie of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!
        if (value) jar.set(name!, value)
        else jar.delete(name!)
      }
      body = null
      const location = response.headers.get('location')
      if (location) {
        url = new URL(location, url).href
        if (stay && !url.startsWith(issuer)) return new Response(url)
        continue
      }
      if (!url.startsWith(issuer)) return response
      const html = await response.text()
      const form = /<form[^>]*action="([^"]+)"[^>]*>([\s\S]*?)<\/form>/.exec(html)
      if (!form) return new Response(html, { status: response.status })
      if (deny) {
        const abort = /href="([^"]*\/abort)"/.exec(html)
        if (abort) {
          url = new URL(abort[1]!, url).href
          continue
        }
      }
      const fields = new URLSearchParams()
      for (const [, input] of form[2]!.matchAll(/<input([^>]*)>/g)) {
        const name = /name="([^"]+)"/.exec(input!)?.[1]
        if (name) fields.set(name, /value="([^"]*)"/.exec(input!)?.[1] ?? '')
      }
      if (fields.has('login')) fields.set('login', who)
      if (fields.has('password')) fields.set('password', 'x')
      if (fields.has('user_code') && userCode) fields.set('user_code', userCode)
      url = new URL(form[1]!.replaceAll('&amp;', '&'), url).href
      body = fields
    }
    throw new Error(`the browser went in circles at ${url}`)
  }

  return {
    issuer,
    events,
    visit,
    async introspect(token) {
      const response = await fetch(`${issuer}/token/introspection`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa('api:api-secret')}` },
        body: new URLSearchParams({ token }),
      })
      return await response.json()
    },
    close: () =>
      new Promise((resolve) => {
        Object.assign(console, { warn, info })
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
