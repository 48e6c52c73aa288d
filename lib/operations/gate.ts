import type { Approvals, Principal } from '../access/mod.ts'
import { GwError } from '../base/mod.ts'
import type { OperationsPolicy } from '../config/mod.ts'
import type { GatedCall } from './context.ts'

/** What the policy says to a call: deny beats ask beats allow. @internal */
export function judge(policy: OperationsPolicy, call: Pick<GatedCall, 'operation' | 'destructive'>) {
  if (policy.deny.some((pattern) => matches(pattern, call.operation))) return 'deny'
  if (policy.ask.some((pattern) => matches(pattern, call.operation))) return 'ask'
  return policy.ask_destructive && call.destructive ? 'ask' : 'allow'
}

/** `accounts.*` takes every operation of the area, `*` everything. */
function matches(pattern: string, name: string): boolean {
  const [wanted, actual] = [pattern.split('.'), name.split('.')]
  return wanted.every((step, i) => step === '*' || step === actual[i]) &&
    (wanted.length === actual.length || wanted[wanted.length - 1] === '*')
}

/**
 * The gate of a surface that agents call.
 *
 * @throws GwError `access.denied`; `access.approval_required` naming the approval that somebody must give before the
 * very same call is made again
 */
export function approvalGate(
  { policy, approvals, principal }: { policy: OperationsPolicy; approvals: Approvals; principal: Principal },
): (call: GatedCall) => Promise<void> {
  return async (call) => {
    const verdict = judge(policy, call)
    if (verdict === 'allow') return
    if (verdict === 'deny') {
      throw new GwError('access.denied', `the policy of this gateway denies ${call.operation} to agents`)
    }
    const claim = await approvals.claim({
      principal: principal.id,
      subject: `operation:${call.operation}`,
      arguments: call.input,
      policy: JSON.stringify([policy.ask, policy.deny, policy.ask_destructive]),
    })
    if (claim.granted) return
    throw new GwError('access.approval_required', `${call.operation} needs the approval of a person`, {
      hint: `somebody runs: gw approvals approve ${claim.approval.id}; then make the same call again`,
      details: { approval: claim.approval.id, expiresAt: claim.approval.expiresAt },
    })
  }
}
