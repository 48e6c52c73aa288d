/**
 * LLM bridge: tools of this machine in front of one gateway that sits behind OIDC.
 *
 * Owns the settings of that connection, the token that is printed for tools which ask a program for it, and the loopback
 * proxy for tools that only take a base URL and a key. The login itself is an ordinary one of the credentials room. Does
 * not edit the tools' files. Start at {@link createLlmBridge}.
 * @module
 */
export { createLlmBridge, type LlmBridge, type ShowLogin } from './bridge.ts'
export { controlPath, startLlmProxy } from './proxy.ts'
export { effectiveScopes, isConfigured, type LlmChange, type LlmSettings } from './settings.ts'
