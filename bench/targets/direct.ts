import type { Starter } from './target.ts'

/** No gateway at all: what the mock and the client can do. */
export const direct: Starter = (mockPort) =>
  Promise.resolve({
    name: 'direct',
    port: mockPort,
    headers: { authorization: 'Bearer sk-bench' },
    prefix: '',
    running: undefined,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  })
