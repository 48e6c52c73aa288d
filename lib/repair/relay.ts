import { type Accounts, formatTarget, type Target } from '../accounts/mod.ts'
import { GwError } from '../base/mod.ts'
import type { Capability, Provider } from '../catalog/mod.ts'
import type { Upstream } from '../upstream/mod.ts'
import type { ProbeOutcome } from './classify.ts'
import type { RelayAccounts } from './context.ts'

/** Failures that say something about this machine or its network only. */
const local: readonly string[] = ['local', 'unreachable', 'timeout', 'cancelled', 'truncated']

/** The accounts of the relay, asked through the sender that also serves requests: one signature, one way out. */
export function relayAccounts(
  { accounts, upstream, provider }: {
    readonly accounts: Pick<Accounts, 'get' | 'credentialFor'>
    readonly upstream: Upstream
    readonly provider: (id: string) => Provider | null
  },
): RelayAccounts {
  return {
    async lease(route, options = {}) {
      const credential = await accounts.credentialFor(accounts.get(route.account), options)
      return { token: credential.secret, expiresAt: credential.expiresAt, identity: credential.identity }
    },
    async ask(route, capability, timeoutMs) {
      const account = accounts.get(route.account)
      const credential = await accounts.credentialFor(account)
      const deployment = provider(account.provider)?.deployments.find((row) =>
        row.capabilities.includes(capability as Capability)
      )
      if (!deployment) {
        throw new GwError('request.unsupported', `${account.provider} has no ${capability}`, {
          hint: 'gw providers list shows what each one has',
        })
      }
      const target: Target = {
        key: formatTarget(account.provider, account.id, capability),
        provider: account.provider,
        account: account.id,
        capability: capability as Capability,
        deployment,
        model: '',
      }
      const sending = upstream.send({
        target,
        credential,
        surface: 'models',
        method: 'GET',
        search: '',
        headers: [],
        body: null,
      })
      const timer = setTimeout(() => sending.cancel(), timeoutMs)
      try {
        const reply = await sending.reply
        if (reply.ok) {
          reply.body.cancel()
          return { status: reply.status, waitMs: null, hint: '' }
        }
        return outcomeOf(reply.failure)
      } finally {
        clearTimeout(timer)
      }
    },
  }
}

function outcomeOf(failure: {
  readonly kind: string
  readonly status: number | null
  readonly retryAfterMs: number | null
  readonly code: string | null
  readonly message: string
}): ProbeOutcome {
  if (local.includes(failure.kind) || failure.status === null) {
    throw new GwError('upstream.unreachable', `the provider could not be asked: ${failure.kind}`)
  }
  return { status: failure.status, waitMs: failure.retryAfterMs, hint: `${failure.code ?? ''} ${failure.message}` }
}
