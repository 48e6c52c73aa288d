/**
 * Migrate: the files of other gateways as a configuration of this one.
 *
 * Owns the reading of what Link.Assistant.Router, token-plumber, Open LLM Auth and LiteLLM keep in files, and the report
 * of what was taken, what was not, and why. It writes nothing anywhere: its caller applies what
 * {@link readForeign} found.
 * @module
 */
export { type ForeignSystem, readForeign } from './read.ts'
export {
  accountIdOf,
  apiOf,
  openLlmAuthView,
  profileIds,
  profileView,
  providerView,
  type ViewEdit,
  viewEdits,
} from './open-llm-auth-view.ts'
