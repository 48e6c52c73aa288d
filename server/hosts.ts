import { GwError } from '../lib/base/mod.ts'

/** Which Host names and web origins a server answers to. */
export interface HostRules {
  /** Address it listens on. */
  readonly host: string
  /** URL under which a proxy before it is reached. */
  readonly publicUrl: string | null
  readonly allowedHosts: readonly string[]
  readonly allowedOrigins: readonly string[]
}

/** Decides by the two headers that a browser cannot be talked out of sending. */
export interface HostGate {
  /** @throws GwError `access.origin` */
  check(request: Request): void
  /** The origin to name in `access-control-allow-origin`, when the request's own is allowed. */
  allowedOrigin(request: Request): string | null
}

const loopbackNames = ['localhost', '127.0.0.1', '[::1]']

/** The name in a Host header or URL, without its port, in lower case. */
const nameOf = (host: string): string => host.toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '')

/**
 * Guards against web pages: one that rebinds its own name to this machine is refused by its Host, one that calls from
 * its own origin by its Origin. A literal address as Host cannot be rebound, so any of them will do.
 */
export function hostGate(rules: HostRules): HostGate {
  const publicHost = rules.publicUrl ? nameOf(new URL(rules.publicUrl).host) : null
  const names = new Set(
    [...loopbackNames, rules.host, ...rules.allowedHosts, ...(publicHost ? [publicHost] : [])].map(nameOf),
  )
  const origins = new Set(rules.allowedOrigins.map((origin) => origin.toLowerCase()))
  if (rules.publicUrl) origins.add(new URL(rules.publicUrl).origin)

  const isAddress = (name: string): boolean => name.startsWith('[') || /^\d+\.\d+\.\d+\.\d+$/.test(name)

  function allowedOrigin(request: Request): string | null {
    const origin = request.headers.get('origin')?.toLowerCase()
    if (!origin) return null
    if (origins.has(origin)) return origin
    // A page that gw itself served, at the very address it was asked under.
    const host = request.headers.get('host')?.toLowerCase()
    return host && (origin === `http://${host}` || origin === `https://${host}`) ? origin : null
  }

  // Hosts that passed, as they were written: clients repeat themselves.
  const passed = new Set<string>()

  return {
    allowedOrigin,
    check(request) {
      const host = request.headers.get('host')
      const origin = request.headers.get('origin')
      if (origin === null && host !== null && passed.has(host)) return
      const name = nameOf(host ?? '')
      if (host !== null && !names.has(name) && !isAddress(name)) {
        throw new GwError('access.origin', `gw does not answer to the host name ${name.slice(0, 100)}`, {
          hint: 'add it to server.allowed_hosts, or set server.public_url',
        })
      }
      if (origin !== null && allowedOrigin(request) === null) {
        throw new GwError('access.origin', `web pages of ${origin.slice(0, 100)} may not call gw`, {
          hint: 'add the origin to server.allowed_origins',
        })
      }
      if (host !== null && passed.size < 64) passed.add(host)
    },
  }
}
