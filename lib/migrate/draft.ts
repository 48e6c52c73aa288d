import { isObject, type Json, redact, Secret } from '../base/mod.ts'

/** One thing of the other system that is now a setting here. */
export interface Taken {
  /** Where it stood there: `authProfiles.openai:work.key`. */
  readonly from: string
  /** Where it stands here: `accounts.openai-work`. */
  readonly to: string
}

/** One thing that was left behind. */
export interface Left {
  readonly from: string
  readonly why: string
}

/** A secret that was written out in a foreign file: it goes to the encrypted store under this reference. */
export interface KeptSecret {
  readonly ref: string
  readonly secret: Secret
}

/** What a foreign file comes to here. */
export interface Migration {
  readonly changes: readonly { readonly path: readonly string[]; readonly value: Json }[]
  readonly secrets: readonly KeptSecret[]
  readonly taken: readonly Taken[]
  readonly left: readonly Left[]
}

/** What reading a foreign file needs to know of this gateway. */
export interface MigrationContext {
  /** The id and base URLs of a provider that is known here by this name or alias, or `null`. */
  readonly provider: (name: string) => { readonly id: string; readonly baseUrls: readonly string[] } | null
  /** Whether the config file has this table already: what somebody wrote here is not replaced. */
  readonly exists: (path: readonly string[]) => boolean
  /** A variable, as `TOKEN_SECRET` opens keys that Link.Assistant.Router encrypted. */
  readonly env: (name: string) => string | undefined
}

/** How a secret is written in a file: the variable that holds it, itself, or itself for when the variable is not set. */
export type SecretText = { readonly env: string; readonly literal?: string } | { readonly literal: string }

/** An account or provider as far as all systems agree. */
export interface Upstream {
  readonly from: string
  /** Wanted name of the account. */
  readonly id: string
  readonly provider: string
  readonly baseUrl?: string | undefined
  readonly protocol?: string | undefined
  readonly auth?: Json | undefined
  readonly headers?: Json | undefined
  readonly query?: Json | undefined
  readonly models?: readonly string[] | undefined
  readonly secret?: SecretText | null | undefined
  /** Further keys of the account. */
  readonly more?: Readonly<Record<string, Json>> | undefined
}

/** Collects a {@link Migration}; names are made unique and fit, and whatever has no place is reported. */
export class Draft {
  readonly #changes: { path: string[]; value: Json }[] = []
  readonly #secrets: KeptSecret[] = []
  readonly #taken: Taken[] = []
  readonly #left: Left[] = []
  readonly #names = new Set<string>()
  readonly #providers = new Set<string>()
  readonly #context: MigrationContext

  constructor(context: MigrationContext) {
    this.#context = context
  }

  set(from: string, path: readonly string[], value: Json): void {
    this.#changes.push({ path: [...path], value })
    this.#taken.push({ from, to: path.join('.') })
  }

  leave(from: string, why: string): void {
    this.#left.push({ from, why })
  }

  /** Whatever of `value` is not among the keys that were looked at. */
  leaveOthers(from: string, value: unknown, known: readonly string[], why = 'gw has no counterpart'): void {
    if (!isObject(value)) return
    for (const key of Object.keys(value)) if (!known.includes(key)) this.leave(from ? `${from}.${key}` : key, why)
  }

  /**
   * An account, and its provider where that is not known here.
   *
   * @returns the id of the provider here, or `null` when there is no way to reach it
   */
  upstream(one: Upstream): string | null {
    const known = this.#context.provider(one.provider)
    const wanted = ['accounts', nameOf(one.id)]
    if (this.#context.exists(wanted)) {
      this.leave(one.from, `${wanted.join('.')} is in the config already`)
      return known?.id ?? nameOf(one.provider)
    }
    const provider = known?.id ?? nameOf(one.provider)
    if (!known && one.baseUrl === undefined) {
      this.leave(one.from, `gw knows no provider ${printable(one.provider)}, and no base URL is given`)
      return null
    }
    if (one.baseUrl !== undefined && !/^https?:\/\//.test(one.baseUrl) && !one.baseUrl.includes('${')) {
      this.leave(one.from, 'its base URL is no http URL')
      return null
    }
    if (!known && this.#providers.has(provider)) {
      // Its second account: the provider has been described.
    } else if (!known) {
      this.#providers.add(provider)
      this.set(
        one.from,
        ['providers', provider],
        pruned({
          base_url: one.baseUrl!.replace(/\/+$/, ''),
          protocol: one.protocol ?? 'openai-chat',
          auth: one.secret === null ? 'none' : one.auth,
          headers: one.headers,
          query: one.query,
          models: one.models && one.models.length > 0
            ? Object.fromEntries(one.models.map((id) => [id, {}]))
            : undefined,
        }),
      )
    } else if (one.headers !== undefined || one.query !== undefined) {
      this.set(one.from, ['providers', provider], pruned({ headers: one.headers, query: one.query }))
    }
    const id = this.#unique(one.id)
    const bare = (url: string) => url.replace(/\/+$/, '')
    const same = known?.baseUrls.some((url) => one.baseUrl !== undefined && bare(url) === bare(one.baseUrl))
    const account: Record<string, Json | undefined> = {
      provider,
      base_url: known && !same ? one.baseUrl : undefined,
      models: known && one.models && one.models.length > 0 ? [...one.models] : undefined,
      ...one.more,
    }
    if (one.secret && 'env' in one.secret) account.token_env = one.secret.env
    if (one.secret?.literal !== undefined) {
      account.token_store = `import/${id}`
      this.#secrets.push({ ref: `import/${id}`, secret: new Secret(one.secret.literal) })
    }
    this.set(one.from, ['accounts', id], pruned(account))
    return provider
  }

  done(): Migration {
    return { changes: this.#changes, secrets: this.#secrets, taken: this.#taken, left: this.#left }
  }

  #unique(wanted: string): string {
    const name = nameOf(wanted)
    let id = name
    for (let n = 2; this.#names.has(id); n++) id = `${name}-${n}`
    this.#names.add(id)
    return id
  }
}

/** A text as a name that gw takes for an account or a provider. */
const nameOf = (text: string): string =>
  text.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+|-+$/g, '').slice(0, 60) || 'imported'

const printable = (text: string): string => redact(text).slice(0, 80)

/** An object without its absent members. */
export function pruned(value: Readonly<Record<string, Json | undefined>>): Json {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as Json
}

/** A text member, or `undefined`. */
export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

/** The texts of a list. */
export const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []

/** The named members of a table. */
export const membersOf = (value: unknown): [string, Record<string, unknown>][] =>
  isObject(value)
    ? Object.entries(value).filter((entry): entry is [string, Record<string, unknown>] => isObject(entry[1]))
    : []
