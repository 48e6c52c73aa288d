import type { Provider } from '../catalog/mod.ts'

/** The demo upstream has no socket: this origin never resolves, and is answered in the process. */
export const demoOrigin = 'https://demo.invalid'

/** A row like any other, for an upstream that needs no key. */
export const demoProvider: Provider = {
  id: 'demo',
  name: 'Demo',
  aliases: [],
  env: [],
  auth: { type: 'none' },
  deployments: [
    { protocol: 'openai-chat', capabilities: ['chat', 'embeddings', 'transcription'], baseUrl: `${demoOrigin}/v1` },
    { protocol: 'openai-responses', capabilities: ['chat'], baseUrl: `${demoOrigin}/v1` },
    { protocol: 'anthropic-messages', capabilities: ['chat'], baseUrl: demoOrigin },
    { protocol: 'gemini', capabilities: ['chat'], baseUrl: demoOrigin },
  ],
  homeOf: ['demo-*'],
  local: true,
  docs: 'README.md',
}
