import { GwError, sourceOf } from '../base/mod.ts'
import type { Dialling, DialRequest } from './port.ts'

/** A {@link DialRequest} through the runtime's own `fetch`, which resolves the name itself. */
export function fetchDial(request: DialRequest, init: RequestInit = {}): Dialling {
  const abort = new AbortController()
  const reply = fetch(request.url, {
    ...init,
    method: request.method,
    headers: request.headers as [string, string][],
    body: request.body,
    redirect: 'manual',
    signal: abort.signal,
  }).then((response) => {
    const length = response.headers.get('content-length')
    return {
      status: response.status,
      headers: response.headers,
      length: length === null ? null : Number(length),
      body: sourceOf(response.body),
    }
  }, (cause) => {
    if (abort.signal.aborted) throw new GwError('cancelled', 'the request was given up')
    throw new GwError('upstream.unreachable', `could not reach ${request.url.host}`, { cause })
  })
  return { reply, cancel: () => abort.abort() }
}
