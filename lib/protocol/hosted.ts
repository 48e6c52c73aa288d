import type { Json, JsonObject } from '../base/mod.ts'
import type { ProtocolId } from './id.ts'
import { type Ledger, unknownFields } from './ledger.ts'
import { compact, numberOf, objectOf, stringOf } from './read.ts'
import type { InferenceRequest, NativeTool } from './request.ts'

/** A search of the web that the provider runs for the model, whatever the protocol calls it. */
interface WebSearch {
  /** Path of the whole, in the caller's document. */
  readonly path: string
  /** What it was told, with the path of each thing behind {@link WebSearch.path}. */
  readonly allowed: readonly string[] | null
  readonly blocked: readonly string[] | null
  readonly maxUses: number | null
  /** `city`, `region`, `country`, `timezone`. */
  readonly place: JsonObject | null
  /** `low`, `medium`, `high`. */
  readonly contextSize: string | null
  /** What else it was told, which is for its own provider only. */
  readonly others: JsonObject | undefined
  /** Where each of them stands in the source. */
  readonly at: Readonly<Partial<Record<'allowed' | 'blocked' | 'maxUses' | 'place' | 'contextSize', string>>>
}

const texts = (value: Json | undefined): string[] | null => Array.isArray(value) ? value.map(String) : null

/** The tool as a search of the web; `null` when it is something else. */
function readSearch(tool: NativeTool, source: ProtocolId): WebSearch | null {
  const { value, path } = tool
  const none = { path, allowed: null, blocked: null, maxUses: null, place: null, contextSize: null, at: {} }
  const others = unknownFields(source === 'gemini' ? objectOf(value.googleSearch) ?? {} : value, knownFields[source])
  switch (source) {
    case 'anthropic-messages':
      if (!/^web_search_\d{8}$/.test(String(value.type))) return null
      return {
        ...none,
        others,
        allowed: texts(value.allowed_domains),
        blocked: texts(value.blocked_domains),
        maxUses: numberOf(value.max_uses),
        place: placeIn(objectOf(value.user_location)),
        at: { allowed: 'allowed_domains', blocked: 'blocked_domains', maxUses: 'max_uses', place: 'user_location' },
      }
    case 'openai-responses':
      // A search that may only look at what is cached is not what the others run.
      if (!/^web_search(_preview)?(_|$)/.test(String(value.type)) || value.external_web_access === false) return null
      return {
        ...none,
        others,
        allowed: texts(objectOf(value.filters)?.allowed_domains),
        place: placeIn(objectOf(value.user_location)),
        contextSize: stringOf(value.search_context_size),
        at: { allowed: 'filters.allowed_domains', place: 'user_location', contextSize: 'search_context_size' },
      }
    case 'openai-chat':
      if (value.type !== 'web_search_options') return null
      return {
        ...none,
        others,
        place: placeIn(objectOf(objectOf(value.user_location)?.approximate)),
        contextSize: stringOf(value.search_context_size),
        at: { place: 'user_location', contextSize: 'search_context_size' },
      }
    case 'gemini':
      return value.googleSearch === undefined ? null : {
        ...none,
        others,
        blocked: texts(objectOf(value.googleSearch)?.excludeDomains),
        at: { blocked: 'excludeDomains' },
      }
  }
}

/** The fields that a search of the web is read from; those of a place and of a filter are in them. */
const knownFields: Readonly<Record<ProtocolId, ReadonlySet<string>>> = {
  'anthropic-messages': new Set([
    ...['type', 'name', 'allowed_domains', 'blocked_domains', 'max_uses', 'user_location', 'cache_control'],
  ]),
  'openai-responses': new Set(['type', 'filters', 'user_location', 'search_context_size', 'external_web_access']),
  'openai-chat': new Set(['type', 'user_location', 'search_context_size']),
  'gemini': new Set(['excludeDomains']),
}

function placeIn(place: JsonObject | undefined): JsonObject | null {
  if (place === undefined) return null
  const { city, region, country, timezone } = place
  return compact({ city, region, country, timezone })
}

/** What each protocol takes of a search. */
const takes: Readonly<Record<ProtocolId, ReadonlySet<keyof WebSearch['at']>>> = {
  'anthropic-messages': new Set(['allowed', 'blocked', 'maxUses', 'place']),
  'openai-responses': new Set(['allowed', 'place', 'contextSize']),
  'openai-chat': new Set(['place', 'contextSize']),
  'gemini': new Set(),
}

/**
 * A tool that the caller's provider would run, as the one of the target that does the same; `null` when there is none.
 * What the target's cannot be told is in the ledger.
 *
 * Done for targets whose row has the quirk `web-search`: a provider runs it, and bills it, only where that was agreed.
 */
export function hostedTool(tool: NativeTool, ledger: Ledger): JsonObject | null {
  const search = readSearch(tool, ledger.source)
  if (search === null) return null
  const { target } = ledger
  for (const [name, at] of Object.entries(search.at) as [keyof WebSearch['at'], string][]) {
    if (search[name] !== null && !takes[target].has(name)) {
      ledger.lose(`${search.path}.${at}`, `the search of ${target} cannot be told`)
    }
  }
  ledger.extras({ path: search.path, extra: search.others })
  const { allowed, blocked, maxUses, place, contextSize } = search
  switch (target) {
    case 'anthropic-messages':
      return compact({
        type: 'web_search_20250305',
        name: 'web_search',
        max_uses: maxUses ?? undefined,
        allowed_domains: allowed ?? undefined,
        blocked_domains: blocked ?? undefined,
        user_location: place === null ? undefined : { type: 'approximate', ...place },
      })
    case 'openai-responses':
      return compact({
        type: 'web_search',
        filters: allowed === null ? undefined : { allowed_domains: allowed },
        user_location: place === null ? undefined : { type: 'approximate', ...place },
        search_context_size: contextSize ?? undefined,
      })
    case 'openai-chat':
      return compact({
        user_location: place === null ? undefined : { type: 'approximate', approximate: place },
        search_context_size: contextSize ?? undefined,
      })
    case 'gemini':
      return { googleSearch: {} }
  }
}

/**
 * The request with its search among its tools, where the caller's protocol keeps it elsewhere. Only for targets that
 * take one.
 */
export function withSearchAsTool(request: InferenceRequest): InferenceRequest {
  const options = objectOf(request.extra?.web_search_options)
  if (request.source !== 'openai-chat' || options === undefined) return request
  const { web_search_options: _, ...extra } = request.extra!
  const path = 'web_search_options'
  const tool: NativeTool = { type: 'native', path, origin: 'tools', value: { type: path, ...options } }
  return { ...request, extra, tools: [...request.tools, tool] }
}
