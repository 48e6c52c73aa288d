/**
 * Demo: an upstream that needs no key and no network.
 *
 * Owns the built-in stand-in for a model server: true to the wire formats, tools and streams included, with models that
 * misbehave on request so that slow streams and failures can be tried offline. Not a model, and no part of a real
 * request's way. Start at {@link demoUpstream}; what to ask it for is in {@link demoModels}.
 * @module
 */
export { demoModels } from './models.ts'
export { demoOrigin, demoProvider } from './provider.ts'
export { demoUpstream } from './upstream.ts'
