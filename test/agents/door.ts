import { startGateway } from '../support/gateway.ts'

/** Where agents are sent. */
export interface OpenDoor extends AsyncDisposable {
  readonly url: string
  readonly token: string
  /** What stands before the demo's model names. */
  readonly prefix: string
}

/** gw, with its built-in demo upstream behind it. */
export async function openDoor(): Promise<OpenDoor> {
  const gateway = await startGateway({ demo: true })
  return {
    url: gateway.url,
    token: gateway.token,
    prefix: 'demo/',
    [Symbol.asyncDispose]: () => gateway.close(),
  }
}
