/** What the straight line needs of its neighbours: a handful of methods each, made in the composition root. */
import type { Clock, Logger, OpenDownstream, RequestId, Secret, Ticker } from '../base/mod.ts'
import type { Principal, Revocable } from '../access/mod.ts'
import type { Target } from '../accounts/mod.ts'
import type { Capability, Provider } from '../catalog/mod.ts'
import type { Credential } from '../credentials/mod.ts'
import type { ReplyHeaders } from '../platform/mod.ts'
import type { ProtocolId, ResponseStore, UpstreamFailure } from '../protocol/mod.ts'
import type { RoutedPlan, Router as RoutingRouter } from '../routing/mod.ts'
import type { Upstream } from '../upstream/mod.ts'
import type { RequestRecord } from '../usage/mod.ts'
import type { Body } from './body.ts'
import type { Limits } from './limits.ts'
import type { Family } from './surfaces.ts'

/** Where a request came from. */
export interface Peer {
  readonly address: string
  /** Whether gw listens on loopback only and the caller is on it. */
  readonly loopback: boolean
  /** The server's own way to send an answer in pieces; absent, web streams are used. */
  readonly openDownstream?: OpenDownstream
}

/** Headers → who acts. */
export interface Authenticator {
  /** @throws GwError `access.missing`, `access.invalid`, `access.expired`, `access.revoked` */
  authenticate(headers: Headers, peer: Peer): Principal | Promise<Principal>
  /** Tells a stream when its principal loses its right, until {@link Authenticator.unwatch}. */
  watch?(principal: Principal, stream: Revocable): void
  unwatch?(principal: Principal, stream: Revocable): void
}

/** A request as routing and admission see it. */
export interface Ask {
  readonly id: RequestId
  readonly principal: Principal
  readonly surface: string
  readonly capability: Capability
  readonly protocol: ProtocolId
  /** As the caller wrote it; `null` when it names none. */
  readonly model: string | null
  readonly stream: boolean
  readonly body: Body
  readonly headers: Headers
  /** The caller's own keys by provider slug, for this request only. */
  readonly providerKeys: ReadonlyMap<string, Secret>
  /** Of a request in an envelope: its own bytes while nothing was edited, and the beta flags that stood in them. */
  readonly wrapped?: { readonly bytes: Uint8Array<ArrayBuffer> | null; readonly betas: readonly string[] }
  /** The stored response that {@link Ask.body} continues, already put into it. */
  readonly continues?: string
  /** The caller's own plan token, when gw's own token came in a header of its own. */
  readonly planToken: Secret | null
  /** Epoch milliseconds. */
  readonly at: number
}

/** What is left of an {@link Ask} once its answer has begun. */
export interface Asked extends Pick<Ask, 'surface' | 'capability' | 'model' | 'stream'> {
  readonly principal: Principal['id']
  /** Whether {@link bytes} are JSON; else they are a form. */
  readonly json: boolean
  /** The caller's body. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Of a form. */
  readonly contentType: string | null
}

/** What was set aside for a request, and how it is given back. */
export interface Admission {
  /** Called once, however the request ended. */
  settle(record: Omit<RequestRecord, Priced>): void
}

/** Budgets and rates. `null` where the caller has none. */
export interface Admitter {
  /** @throws GwError `access.scope`, `access.denied`, `access.rate_limited`, `access.budget_spent`, `payment.required` */
  admit(ask: Ask, plan: RoutedPlan): Admission | null | Promise<Admission | null>
}

/** Which targets, in which order, and which next. */
export type Router = Pick<RoutingRouter, 'plan' | 'claim' | 'next' | 'countRequest'>

/** What proves us at a target, right now. */
export interface Leaser {
  /** @throws GwError `credential.…` and `secret.…`; `credential.unavailable` too for a use that a plan's terms rule out */
  lease(target: Target, use: Use): Credential | Promise<Credential>
}

/** What a credential is wanted for. */
export interface Use {
  /** The caller's. */
  readonly headers: Headers
  /** The caller's; `null` where its bytes pass raw. */
  readonly protocol: ProtocolId | null
  /** The credential that the provider just refused, when another is asked for. */
  readonly refused?: Credential
}

/** How targets fare, as serving sees it. */
export interface Observer {
  /** `headers` are of the answer's head, where quotas are read from. */
  served(
    target: Target,
    seen: { readonly status: number; readonly headers: ReplyHeaders; readonly firstByteMs: number },
  ): void
  failed(target: Target, failure: UpstreamFailure): void
  /** An answer is complete: what it wrote, and how long after its first byte that took. */
  finished?(target: Target, outputTokens: number | null, writingMs: number): void
}

/** The members of a record that the price list fills in. */
export type Priced = 'costMicros' | 'shadowCostMicros' | 'priceSource'

/** Where records go. Must not block and must not throw. */
export interface Recorder {
  record(record: Omit<RequestRecord, Priced>): void
  /** The plan of a request that came so far, once: when its answer begins, or before its record. */
  planned?(id: RequestId, plan: RoutedPlan): void
  /** Keeps what the caller sent, where its owner wants that; called once for a request whose body was read. */
  keep?(asked: Asked, record: Omit<RequestRecord, Priced>): void
}

/** What there is: models and providers to show, and the account of a raw call. */
export interface Directory {
  models(principal: Principal): readonly ModelRow[] | Promise<readonly ModelRow[]>
  providers(principal: Principal): readonly Provider[] | Promise<readonly Provider[]>
  /** By id or alias. */
  provider(id: string): Provider | null
  /** Providers whose vendor lets its own client's plan token pass through a gateway, for this client and protocol. */
  passthrough(headers: Headers, protocol: ProtocolId): readonly Provider[]
  /**
   * The accounts of a provider that a raw call by this client may use, first choice first; never none.
   *
   * @throws GwError `route.no_account`, `route.none` where its vendor documents no such use of any
   */
  targets(provider: Provider, principal: Principal, headers: Headers): readonly Target[]
}

/** One model that can be asked for. */
export interface ModelRow {
  /** `provider/model`. */
  readonly id: string
  readonly provider: string
  readonly name: string
  readonly contextTokens: number | null
  readonly maxOutputTokens: number | null
}

/** An account that only a person can mend. */
export interface Waiting {
  readonly provider: string
  readonly account: string
  /** What that person runs; `null` where there is no command for it. */
  readonly command: string | null
}

/** What the catalogue and the configuration say to a translation. */
export interface TranslationFacts {
  /** Whether prompts of callers whose protocol has no cache marks are marked where the target's has. */
  readonly autoCache: boolean
  /** The most that a target's model can write; `null` when nobody knows. */
  maxOutputTokens(target: Target): number | null
}

/** Everything the line is made of. */
export interface Rooms {
  readonly access: Authenticator
  readonly admitter: Admitter
  readonly router: Router
  readonly leaser: Leaser
  readonly upstream: Upstream
  readonly observer: Observer
  readonly recorder: Recorder
  readonly directory: Directory
  /** Accounts that wait for a person; absent where nobody looks after them. */
  readonly waiting?: () => readonly Waiting[]
  /** Until an account that was just lost is among {@link Rooms.waiting}; `null` when none was. */
  readonly handing?: () => Promise<void> | null
  /** Whether its owner lets gw serve a group of paths. */
  serves(family: Family): boolean
  /** What translation needs to know beyond the request; absent, nothing is known and nothing is marked. */
  readonly translation?: TranslationFacts
  /** Turns kept for callers whose upstream keeps none; `null` where nothing is kept. */
  readonly turns: ResponseStore | null
  readonly limits: Limits
  readonly clock: Clock
  readonly ticker: Ticker
  readonly log: Logger
}
