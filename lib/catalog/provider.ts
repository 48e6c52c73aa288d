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
  /** Without a trailing slash; may hold `${ENV}` or `${ENV:-default}`. */
  readonly baseUrl: string
  /** Paths that differ from the protocol's own, by surface: chat, responses, messages, embeddings, transcription, models. */
  readonly paths?: Readonly<Record<string, string>>
  /** How the protocol travels: as itself, or inside a cloud's envelope. */
  readonly envelope?: 'bedrock' | 'vertex' | 'azure'
  /** Models it serves, as patterns (`*` stands for any run of characters); absent is all. */
  readonly models?: readonly string[]
  /** Laid on its requests instead of the provider's own scheme. */
  readonly auth?: AuthScheme
}

/** How a vendor's own client shows itself: this header begins with one of these texts. */
export interface NativeClient {
  readonly header: string
  readonly startsWith: readonly string[]
}

/** What the vendor says about using a plan login with this provider. */
export interface PlanTerms {
  /** The vendor's own clients; their requests count as native use. */
  readonly native: readonly NativeClient[]
  /** Logins (`SourceSpec.vendor`) whose use by other programs the vendor documents. */
  readonly documented: readonly string[]
  /** How its plan tokens begin: one is known as such, however it was declared. */
  readonly tokens?: readonly string[]
  /** The vendor's page that says so. */
  readonly page: string
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
  /** Becomes usable only by an account that names it, even where its environment variables are set. */
  readonly explicit?: boolean
  /** An account without a key may be used: some servers want none. */
  readonly keyOptional?: boolean
  /** Named properties of its wire dialect, each implemented once in the protocol room. */
  readonly quirks?: readonly string[]
  /** Paths of its API that `/v1/proxy/{provider}` may reach; absent means the deployments' own. */
  readonly proxyPaths?: readonly string[]
  /** Bare model names that mean this provider when several have them, as patterns. */
  readonly homeOf?: readonly string[]
  /** Providers that serve its models when it has no usable account, in order. */
  readonly standIns?: readonly string[]
  /** Terms of plan logins; absent means the vendor documents none. */
  readonly plan?: PlanTerms
  /** Whether it trains on what API callers send; absent is unknown, which `data_collection: deny` treats as yes. */
  readonly trains?: boolean
  /** Whether it keeps nothing of a request by default (zero data retention). */
  readonly zeroRetention?: boolean
  /** Weights' number format, when it says: `fp8`, `bf16`. */
  readonly quantization?: string
  /** Its name in the shipped price data, where that differs. */
  readonly pricedAs?: string
  readonly docs: string
}

/** Prices in micro-USD per million tokens (1 USD/Mtok = 1_000_000). */
export interface ModelPrice {
  readonly inputMicros: number
  readonly outputMicros: number
  readonly cachedInputMicros: number | null
  readonly cacheWriteMicros: number | null
  readonly cacheWrite1hMicros: number | null
  /** micro-USD per request, on top of tokens; absent is none. */
  readonly requestMicros?: number
  /** micro-USD per image, where images cost apart from tokens; `null` when how much is not known, absent when they do not. */
  readonly imageMicros?: number | null
  /** micro-USD per million tokens of sound, the dearer way; `null` when sound is billed otherwise, absent as for text. */
  readonly audioMicros?: number | null
  /** Prices of a whole request whose input is longer, lowest bound first. */
  readonly tiers?: readonly PriceTier[]
  /** Where it came from and of which day, such as `genai-prices 2026-11-01` or `config`. */
  readonly source: string
}

/** Prices for requests with more than `aboveTokens` input tokens. */
export interface PriceTier {
  readonly aboveTokens: number
  readonly inputMicros: number
  readonly outputMicros: number
  readonly cachedInputMicros: number | null
  readonly cacheWriteMicros: number | null
  readonly cacheWrite1hMicros: number | null
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
