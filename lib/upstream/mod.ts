/**
 * Upstream: sending a call to a target.
 *
 * Owns the URL of a surface at a deployment, the header fields that pass in each direction, how a credential is laid on
 * a request, telling an answer from a refusal, and the lists of models that providers give. Chooses nothing (routing),
 * judges no refusal (liveness) and retries nothing (gateway). Start at {@link createUpstream}.
 * @module
 */
export type { UpstreamPath, UpstreamRefusal, UpstreamReply } from './call.ts'
export { type ModelDiscovery, openDiscovery } from './discovery.ts'
export type { Surface } from './endpoint.ts'
export { type Field, forwardHeaders, replyFields } from './headers.ts'
export { createUpstream, type Sending, type Upstream } from './send.ts'
