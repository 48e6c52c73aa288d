/** Wire formats of model calls that gw can read and write. */
export const protocolIds = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini'] as const

/** A wire format of bodies and events. Bedrock and Vertex carry `anthropic-messages` in another envelope. */
export type ProtocolId = typeof protocolIds[number]
