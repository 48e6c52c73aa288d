import type { ProtocolId } from '../protocol/mod.ts'

/** Parameters that have no equivalent in another protocol, by the protocol that lacks them. */
const lacking: Readonly<Record<ProtocolId, ReadonlySet<string>>> = {
  'openai-chat': new Set([
    'top_k',
    'thinking',
    'context_management',
    'mcp_servers',
    'container',
    'previous_response_id',
    'safetySettings',
    'cachedContent',
  ]),
  'openai-responses': new Set([
    'top_k',
    'n',
    'seed',
    'stop',
    'stop_sequences',
    'logit_bias',
    'presence_penalty',
    'frequency_penalty',
    'thinking',
    'mcp_servers',
    'container',
    'safetySettings',
    'cachedContent',
  ]),
  'anthropic-messages': new Set([
    'n',
    'seed',
    'logprobs',
    'top_logprobs',
    'logit_bias',
    'presence_penalty',
    'frequency_penalty',
    'modalities',
    'audio',
    'prediction',
    'web_search_options',
    'previous_response_id',
    'background',
    'truncation',
    'safetySettings',
    'cachedContent',
  ]),
  'gemini': new Set(['logit_bias', 'parallel_tool_calls', 'prediction', 'web_search_options', 'previous_response_id']),
}

/** Those of the parameters that the upstream's protocol cannot carry; none when both sides speak the same one. */
export function unsupportedParameters(
  parameters: readonly string[],
  from: ProtocolId | null,
  to: ProtocolId,
): string[] {
  return from === to ? [] : parameters.filter((name) => lacking[to].has(name))
}
