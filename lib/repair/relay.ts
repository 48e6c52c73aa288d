import { type Accounts, formatTarget, type Target } from '../accounts/mod.ts'
import { GwError } from '../base/mod.ts'
import type { Capability, Provider } from '../catalog/mod.ts'
import type { Credential } from '../credentials/mod.ts'
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
      let cancel = () => {}
      const timer = setTimeout(() => cancel(), timeoutMs)
      const send = async (credential: Credential): Promise<ProbeOutcome> => {
        const sending = upstream.send({
          target,
          credential,
          surface: 'models',
          method: 'GET',
          search: '',
          headers: [],
          body: null,
        })
        cancel = () => sending.cancel()
        const reply = await sending.reply
        if (!reply.ok) return outcomeOf(reply.failure)
        reply.body.cancel()
        return { status: reply.status, waitMs: null, hint: '' }
      }
      try {
        const credential = await accounts.credentialFor(account)
        const outcome = await send(credential)
        if (outcome.status !== 401) return outcome
        // As a request is served: a token that is refused is renewed, and only a new one that is refused too is revoked.
        const renewed = await accounts.credentialFor(account, { rejected: credential.secret })
        return renewed.secret.reveal() === credential.secret.reveal() ? outcome : await send(renewed)
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
