/**
 * Upstream: sending a call to a target.
 *
 * Owns the URL of a surface at a deployment, the header fields that pass in each direction, how a credential is laid on
 * a request, the reading of what comes back into an answer or a failure, and the lists of models that providers give. Chooses nothing (routing) and retries
 * nothing (gateway). Start at {@link createUpstream}.
 * @module
 */
export { type DiscoveryOptions, type ModelDiscovery, openDiscovery } from './discovery.ts'
export { type Environment, type Surface } from './endpoint.ts'
export { type FailedAnswer, failureOf, type ReadFailure, readHttpFailure } from './failure.ts'
export { type Field, forwardHeaders, replyFields } from './headers.ts'
export {
  createUpstream,
  type Sending,
  type Upstream,
  type UpstreamCall,
  type UpstreamOptions,
  type UpstreamPath,
  type UpstreamRefusal,
  type UpstreamReply,
} from './send.ts'
