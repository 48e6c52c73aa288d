/**
 * Egress: where gw may connect to.
 *
 * Owns the policy on destinations, the one outbound path that obeys it, and the guarantee that the address judged is the
 * address dialled. Knows nothing of what is sent. Start at {@link decide}: it is pure.
 * @module
 */
export { type AddressClass, addressTable, parseAddress } from './address.ts'
export type { EgressConfig } from './config.ts'
export { egressPolicy } from './policy-of.ts'
export {
  createEgress,
  type Egress,
  type EgressFetchInit,
  type EgressOptions,
  type EgressPurpose,
  type EgressRequest,
} from './egress.ts'
export { proxiesOf, type ProxyFor } from './proxy.ts'
export { decide, type EgressPolicy, type EgressQuestion, type EgressReason, type Verdict } from './policy.ts'
