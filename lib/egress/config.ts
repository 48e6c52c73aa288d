import { z } from 'zod'
import { parseCidr } from './address.ts'

const cidr = z.string().refine((text) => parseCidr(text) !== null, 'must be an address or a block such as 10.0.0.0/8')
const origin = z.string().refine(
  (text) => URL.canParse(text) && new URL(text).origin === text,
  'must be an origin such as http://192.168.1.5:8000, without a path',
)

/** The `[egress]` section: where gw may open connections to. */
export const egressConfig = z.object({
  mode: z.enum(['off', 'observe', 'enforce']).default('enforce').describe(
    'What happens to a destination that breaks a rule: nothing, a log line, or a refusal.',
  ),
  resolve_dns: z.boolean().default(true).describe('Look names up and judge their addresses before connecting.'),
  fail_closed: z.boolean().default(true).describe('Refuse a name that cannot be looked up.'),
  enforce_https: z.boolean().default(true).describe('Refuse plain http except for local providers.'),
  allow_localhost: z.boolean().default(false).describe('Let every provider, not only local ones, use loopback.'),
  allow_origins: z.array(origin).default([]).describe(
    'Origins on private networks that may be used, each named exactly, such as http://192.168.1.5:8000.',
  ),
  proxy: z.string().refine(
    (text) => text === 'off' || (URL.parse(text)?.protocol === 'http:' && URL.parse(text)?.username === ''),
    'must be the URL of an http proxy without a user name, such as http://proxy.example:3128, or off',
  ).optional().describe(
    'HTTP proxy on the way to providers, or "off". By default HTTPS_PROXY, HTTP_PROXY and ALL_PROXY name it, with user and password where it wants them.',
  ),
  no_proxy: z.array(z.string()).default([]).describe(
    'Hosts, addresses and blocks that are reached without the proxy, beside those in NO_PROXY; loopback always is.',
  ),
  deny_hosts: z.array(z.string().toLowerCase()).default(['metadata.google.internal']).describe(
    'Host names that are never reached, subdomains included.',
  ),
  deny_cidrs: z.array(cidr).default([
    '169.254.169.254/32',
    '169.254.170.2/32',
    '100.100.100.200/32',
    'fd00:ec2::254/128',
  ]).describe('Address blocks that nobody reaches, local providers included: by default the cloud metadata services.'),
}).strict().prefault({})

/** A validated `[egress]`. */
export type EgressConfig = z.output<typeof egressConfig>
