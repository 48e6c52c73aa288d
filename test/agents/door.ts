import { demoServer } from '../support/demo-server.ts'

/** Where agents are sent. */
export interface OpenDoor extends AsyncDisposable {
  readonly url: string
  readonly token: string
  /** What stands before the demo's model names. */
  readonly prefix: string
}

/** The demo upstream. */
export function openDoor(): Promise<OpenDoor> {
  const server = demoServer({ key: 'sk-demo' })
  return Promise.resolve({
    url: server.url,
    token: 'sk-demo',
    prefix: '',
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  })
}
