import type { ProtocolId } from '../protocol/mod.ts'

/** What a deployment can be asked for. */
export const capabilities = [
  'chat',
  'embeddings',
  'transcription',
  'speech',
  'images',
  'rerank',
  'mcp',
  'task',
] as const

/** A kind of work. Chat covers every text protocol, whatever its path. */
export type Capability = typeof capabilities[number]

/** How a credential is laid on a request. */
export type AuthScheme =
  | { readonly type: 'bearer' }
  /** API key as `x-api-key`, plan token as bearer with Anthropic's OAuth beta. */
  | { readonly type: 'anthropic' }
  /** Bearer plus `ChatGPT-Account-ID`. */
  | { readonly type: 'chatgpt' }
  | { readonly type: 'header'; readonly name: string; readonly prefix?: string }
  | { readonly type: 'query'; readonly name: string }
  | { readonly type: 'sigv4'; readonly service: string }
  /** Google access token, minted from a service account where needed. */
  | { readonly type: 'google' }
  | { readonly type: 'none' }

/** One protocol spoken at one base URL. */
export interface Deployment {
  readonly protocol: ProtocolId
  readonly capabilities: readonly Capability[]
  /** Without a trailing slash; may hold `${ENV}`. */
  readonly baseUrl: string
  /** Paths that differ from the protocol's own, by surface: chat, responses, messages, embeddings, transcription, models. */
  readonly paths?: Readonly<Record<string, string>>
  /** How the protocol travels: as itself, or inside a cloud's envelope. */
  readonly envelope?: 'bedrock' | 'vertex' | 'azure'
}

/** A company or service with an API. A row of data; nothing in the code above the wire rooms names one. */
export interface Provider {
  readonly id: string
  readonly name: string
  readonly aliases: readonly string[]
  /** Environment variables that may hold its key, in order. */
  readonly env: readonly string[]
  readonly auth: AuthScheme
  /** Preferred first. */
  readonly deployments: readonly Deployment[]
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  /** Runs on this machine or network: never used unless its owner adds an account. */
  readonly local?: boolean
  /** Named properties of its wire dialect, each implemented once in the protocol room. */
  readonly quirks?: readonly string[]
  /** Paths of its API that `/v1/proxy/{provider}` may reach; absent means the deployments' own. */
  readonly proxyPaths?: readonly string[]
  readonly docs: string
}

/** Prices in micro-USD per million tokens (1 USD/Mtok = 1_000_000). */
export interface ModelPrice {
  readonly inputMicros: number
  readonly outputMicros: number
  readonly cachedInputMicros: number | null
  readonly cacheWriteMicros: number | null
  readonly cacheWrite1hMicros: number | null
  /** Where it came from and of which day, such as `genai-prices 2026-11-01` or `config`. */
  readonly source: string
}

/** Facts about a model at a provider. */
export interface Model {
  /** The provider's own id. */
  readonly id: string
  readonly provider: string
  readonly capabilities: readonly Capability[]
  readonly contextTokens: number | null
  readonly maxOutputTokens: number | null
  /** `null` when unknown: never a guess, never 0. */
  readonly price: ModelPrice | null
}
