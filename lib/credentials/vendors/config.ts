import { z } from 'zod'
import { once } from '../../base/mod.ts'

/** `[logins.<vendor>]`: what differs from the built-in vendor, or an OpenID issuer of its own. */
export const loginOverrides = once(() => {
  const url = z.url({ protocol: /^https?$/ })
  return z.object({
    name: z.string().min(1).optional().describe('Name shown to people'),
    provider: z.string().min(1).optional().describe('Provider of the catalog that its tokens are for'),
    client_id: z.string().min(1).optional().describe('OAuth client id'),
    client_secret: z.string().min(1).optional().describe('OAuth client secret; better client_secret_env'),
    client_secret_env: z.string().min(1).optional().describe('Environment variable of the OAuth client secret'),
    client_auth: z.enum(['none', 'basic', 'post']).optional().describe('How the client proves itself'),
    issuer: url.optional().describe('OpenID issuer whose metadata gives the endpoints'),
    authorize_url: url.optional().describe('Authorization endpoint'),
    authorize_params: z.record(z.string(), z.string()).optional().describe(
      'More parameters of the authorization request',
    ),
    registration_url: url.optional().describe('Where gw registers a client of its own, in place of a client id'),
    token_url: url.optional().describe('Token endpoint'),
    refresh_url: url.optional().describe('Token endpoint for refreshing, where it differs'),
    device_url: url.optional().describe('Device authorization endpoint'),
    device_poll_url: url.optional().describe('Where a device login is polled, where it differs'),
    device_verify_url: url.optional().describe('Page on which the code is entered'),
    revoke_url: url.optional().describe('Revocation endpoint'),
    profile_url: url.optional().describe('Page that says whose token it is'),
    api_key_url: url.optional().describe('Endpoint that mints an API key from the login'),
    exchange_url: url.optional().describe('Endpoint that swaps the login for a short-lived token'),
    redirect_host: z.enum(['localhost', '127.0.0.1', '[::1]']).optional().describe('Host of the registered redirect'),
    redirect_ports: z.array(z.number().int().min(0).max(65535)).min(1).optional().describe(
      'Ports of the registered redirect, in order; 0 is any free one',
    ),
    redirect_path: z.string().startsWith('/').optional().describe('Path of the registered redirect'),
    hosted_redirect: url.optional().describe("The vendor's own page that shows the code for pasting"),
    scopes: z.array(z.string().min(1)).optional().describe('Scopes to ask for'),
    headers: z.record(z.string(), z.string()).optional().describe('Headers of token requests'),
    audience: z.array(url).optional().describe('Origins its tokens may be sent to'),
  }).strict()
})

/** One vendor's overrides. */
export type LoginOverrides = z.infer<ReturnType<typeof loginOverrides>>

/** `[logins]` of the config file. */
export const loginsConfig = once(() =>
  z.record(z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/), loginOverrides()).prefault({})
    .describe(
      'Login endpoints by vendor',
    )
)
