/**
 * Egress: where gw may connect to.
 *
 * Owns the policy on destinations, the one outbound path that obeys it, and the guarantee that the address judged is the
 * address dialled. Knows nothing of what is sent. Start at {@link createEgress}; the verdict itself is
 * pure, in `policy.ts`.
 * @module
 */
export { egressPolicy } from './policy-of.ts'
export { createEgress, type Egress } from './egress.ts'
export { proxiesOf } from './proxy.ts'
