import { Buffer } from 'node:buffer'
import { GwError } from '../base/mod.ts'
import type { Via } from '../platform/mod.ts'
import { inCidr, parseAddress, parseCidr } from './address.ts'
import { hostOf } from './policy.ts'

/** Which proxy a URL is reached through; `null` is none. */
export type ProxyFor = (url: URL) => Via | null

/** The members of `[egress]` that are about proxies. */
export interface ProxyConfig {
  readonly proxy?: string | undefined
  readonly no_proxy: readonly string[]
}

/**
 * The proxies that a configuration and the environment name: `egress.proxy` before `HTTPS_PROXY`, `HTTP_PROXY` and
 * `ALL_PROXY` (in capitals or not); `off` is none. Loopback is never reached through one, nor what `NO_PROXY` or
 * `egress.no_proxy` names.
 *
 * @throws GwError `config.invalid` for a proxy that is no `http://` URL
 */
export function proxiesOf(
  { proxy, no_proxy: listed }: ProxyConfig,
  env: Readonly<Record<string, string | undefined>>,
): ProxyFor {
  const named = (name: string): string | undefined => env[name.toLowerCase()] || env[name]
  if (proxy === 'off') return () => null
  const fromEnvironment = (name: string): Via | null =>
    named(name) ? viaOf(named(name), name) : viaOf(named('ALL_PROXY'), 'ALL_PROXY')
  const [secure, plain] = proxy === undefined
    ? [
      fromEnvironment('HTTPS_PROXY'),
      fromEnvironment('HTTP_PROXY'),
    ]
    : [viaOf(proxy, 'egress.proxy'), viaOf(proxy, 'egress.proxy')]
  if (secure === null && plain === null) return () => null
  const direct = exceptions([...listed, ...(named('NO_PROXY') ?? '').split(',')])
  return (url) => {
    const via = url.protocol === 'https:' ? secure : plain
    return via === null || direct(url) ? null : via
  }
}

function viaOf(text: string | undefined, name: string): Via | null {
  if (text === undefined || text.trim() === '') return null
  const url = URL.parse(text.includes('://') ? text : `http://${text}`)
  if (url?.protocol !== 'http:' || url.hostname === '') {
    // The value may hold a password: it is not repeated.
    throw new GwError('config.invalid', `${name} is not the URL of an http proxy, such as http://proxy.example:3128`, {
      param: name,
      hint: `correct it, or set egress.proxy = "off"`,
    })
  }
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 80 : Number(url.port),
    namedBy: name,
    authorization: user === ':' ? null : `Basic ${Buffer.from(user).toString('base64')}`,
  }
}

/** What is reached directly: names with their subdomains, `name:port`, addresses, blocks, and `*` for everything. */
function exceptions(list: readonly string[]): (url: URL) => boolean {
  const entries = list.map((text) => text.trim().toLowerCase()).filter((text) => text !== '')
  const blocks = entries.flatMap((text) => parseCidr(text) ?? [])
  return (url) => {
    const host = hostOf(url)
    const address = parseAddress(host)
    if (host === 'localhost' || host.endsWith('.localhost') || host === '::1' || /^127\./.test(host)) return true
    if (address !== null && blocks.some((block) => inCidr(address, block))) return true
    const port = url.port === '' ? url.protocol === 'https:' ? '443' : '80' : url.port
    return entries.some((entry) => {
      if (entry === '*') return true
      const plain = entry.replace(/^\*?\./, '').replace(/^\[|\]/g, '')
      return [host, `${host}:${port}`].some((one) => one === plain || one.endsWith(`.${plain}`))
    })
  }
}
