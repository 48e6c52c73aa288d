/**
 * Catalog: what exists out there.
 *
 * Owns the providers as data, the models with their prices, and how a model reference such as `openai:work/gpt-5` or
 * `sonnet` becomes a model of a provider. Holds no credential and no state. Start at {@link Provider}.
 * @module
 */
export type { AuthScheme, Capability, Deployment, Model, ModelPrice, Provider } from './provider.ts'
export { capabilities } from './provider.ts'
