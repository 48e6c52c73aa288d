/** The part of oidc-provider that the tests use; the package has no types of its own. */
declare module 'oidc-provider' {
  interface ExchangeContext {
    readonly oidc: {
      readonly params: Record<string, string | undefined>
      readonly client: { readonly clientId: string }
    }
    body: unknown
    status: number
  }
  export default class Provider {
    constructor(issuer: string, configuration: object)
    on(event: string, listener: (context: { oidc?: { params?: Record<string, unknown> } }, error?: Error) => void): void
    callback(): (request: object, response: object) => void
    registerGrantType(
      name: string,
      handler: (context: ExchangeContext, next?: () => Promise<void>) => Promise<void>,
      parameters: readonly string[],
    ): void
    readonly ResourceServer: new (identifier: string, data: object) => object
    readonly AccessToken: {
      new (values: object): { save(): Promise<string>; resourceServer?: object }
      find(token: string): Promise<{ readonly accountId: string; readonly isValid: boolean } | undefined>
    }
  }
}
