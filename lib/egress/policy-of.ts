import { parseCidr } from './address.ts'
import type { EgressConfig } from './config.ts'
import type { EgressPolicy } from './policy.ts'

/** The policy that a validated `[egress]` section means. */
export function egressPolicy(config: EgressConfig): EgressPolicy {
  return {
    mode: config.mode,
    resolveDns: config.resolve_dns,
    failClosed: config.fail_closed,
    enforceHttps: config.enforce_https,
    allowLocalhost: config.allow_localhost,
    denyHosts: config.deny_hosts.map((host) => host.replace(/\.+$/, '')),
    denyCidrs: config.deny_cidrs.map((text) => parseCidr(text)!),
    allowOrigins: new Set(config.allow_origins),
  }
}
