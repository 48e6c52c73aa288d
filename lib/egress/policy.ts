import { type AddressClass, type AddressTable, type Cidr, inCidr, parseAddress } from './address.ts'

/** Why gw will not go somewhere. One word for machines; `resolved_…` when the name was fine and its address was not. */
export type EgressReason =
  | 'unsupported_scheme'
  | 'userinfo_forbidden'
  | 'missing_host'
  | 'insecure_http_forbidden'
  | 'denylisted_host'
  | 'localhost_forbidden'
  | 'denylisted_cidr'
  | 'dns_resolution_failed'
  | 'dns_no_answers'
  | AddressClass
  | `resolved_${AddressClass | 'denylisted_cidr'}`

/** The rules, ready to be used. */
export interface EgressPolicy {
  /** `off` asks nothing, `observe` reports and lets pass, `enforce` refuses. */
  readonly mode: 'off' | 'observe' | 'enforce'
  /** Whether names are looked up and their addresses judged. */
  readonly resolveDns: boolean
  /** Whether a name that cannot be looked up is refused. */
  readonly failClosed: boolean
  /** Whether plain http is refused, except where `local` or `allowOrigins` says otherwise. */
  readonly enforceHttps: boolean
  /** Whether any provider, not only a local one, may use loopback. */
  readonly allowLocalhost: boolean
  /** Host names that are never reached, nor their subdomains. */
  readonly denyHosts: readonly string[]
  /** Blocks that are never reached, by nobody. */
  readonly denyCidrs: readonly Cidr[]
  /** Origins their owner named exactly: their address class and scheme are not held against them. */
  readonly allowOrigins: ReadonlySet<string>
}

/** The answer of {@link decide}. */
export type Verdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly reason: EgressReason; readonly detail: string }

/** What is asked for: where, and whether by a provider that runs on this machine. */
export interface EgressQuestion {
  readonly url: URL
  readonly local: boolean
}

const allowed: Verdict = { allowed: true }
const denied = (reason: EgressReason, detail: string): Verdict => ({ allowed: false, reason, detail })

/** The host of a URL as rules compare it: lower case, no brackets, no trailing dots. */
export function hostOf(url: URL): string {
  return url.hostname.toLowerCase().replace(/^\[|\]$/g, '').replace(/\.+$/, '')
}

const isLocalName = (host: string): boolean =>
  host === 'localhost' || host.endsWith('.localhost') || host === 'localhost.localdomain' || host === 'ip6-localhost'

/**
 * Judges a destination as it is written: scheme, credentials in it, host name, literal address. Pure. A name that passes
 * must still have its addresses judged by {@link decideAddress}.
 */
export function decide({ url, local }: EgressQuestion, policy: EgressPolicy, table: AddressTable): Verdict {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    return denied('unsupported_scheme', `${url.protocol.slice(0, -1)} is not http or https`)
  }
  if (url.username !== '' || url.password !== '') {
    return denied('userinfo_forbidden', 'a URL must not carry a user name or password')
  }
  const host = hostOf(url)
  if (host === '') return denied('missing_host', 'the URL names no host')
  for (const entry of policy.denyHosts) {
    if (host === entry || host.endsWith(`.${entry}`)) return denied('denylisted_host', `${host} is on the deny list`)
  }
  const named = policy.allowOrigins.has(url.origin)
  const address = parseAddress(host)
  if (address) {
    const verdict = decideAddress(address, { url, local }, policy, table)
    if (!verdict.allowed) return verdict
  } else if (isLocalName(host) && !local && !named && !policy.allowLocalhost) {
    return denied('localhost_forbidden', `${host} is this machine`)
  }
  if (url.protocol === 'http:' && policy.enforceHttps && !named) {
    const loopback = isLocalName(host) || (address !== null && table.classify(address) === 'loopback_ip')
    if (!(loopback && (local || policy.allowLocalhost))) {
      return denied('insecure_http_forbidden', `${url.origin} is not encrypted`)
    }
  }
  return allowed
}

/** Judges one address, literal or looked up. The deny list wins over every permission. Pure. */
export function decideAddress(
  address: Uint8Array,
  { url, local }: EgressQuestion,
  policy: EgressPolicy,
  table: AddressTable,
): Verdict {
  const inner = table.inner(address)
  if (policy.denyCidrs.some((cidr) => inCidr(address, cidr) || inCidr(inner, cidr))) {
    return denied('denylisted_cidr', 'its address is on the deny list')
  }
  const kind = table.classify(address)
  if (kind === null || policy.allowOrigins.has(url.origin)) return allowed
  if (kind === 'loopback_ip' && (local || policy.allowLocalhost)) return allowed
  return denied(kind, `its address is ${kind.replace(/_ip$/, '').replace('_', ' ')}`)
}
