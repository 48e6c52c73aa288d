/**
 * Catalog: what exists out there.
 *
 * Owns the providers as data, the models with their prices, and how a model reference such as `openai:work/gpt-5` or
 * `sonnet` becomes a model of a provider. Holds no credential and no state. Start at {@link createCatalog}.
 * @module
 */
export { type Catalog, createCatalog, type StoredProvider } from './catalog.ts'
export { loadModelFacts, type ModelFacts } from './models.ts'
export { matchesAny, matchesPattern } from './pattern.ts'
export type { AuthScheme, Capability, Deployment, Model, ModelPrice, Provider } from './provider.ts'
export { capabilities } from './provider.ts'
export { type ResolvedModel, resolveModel, takeSuffixes } from './resolve.ts'
