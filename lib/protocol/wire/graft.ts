import { type ByteSource, formatSse, isObject, sseParser } from '../../base/mod.ts'

/** Events that open a response, which the caller has had already. */
const openings = new Set(['response.created', 'response.queued', 'response.in_progress'])

/**
 * A stream of response events as the continuation of one that another upstream began: without its own opening, and under
 * the id that the caller knows the response by. Needed where a caller was given the opening before anything of the
 * answer, and the upstream then failed.
 */
export function graft(source: ByteSource, id: string): ByteSource {
  const encoder = new TextEncoder()
  const parser = sseParser()

  function rewrite(event: string, data: string): string {
    try {
      const body: unknown = JSON.parse(data)
      if (isObject(body)) {
        const type = typeof body['type'] === 'string' ? body['type'] : event
        if (openings.has(type)) return ''
        const { response } = body
        if (isObject(response)) {
          return formatSse({ event: type, data: JSON.stringify({ ...body, response: { ...response, id } }) })
        }
      }
    } catch {
      // Not JSON: passed on as it is.
    }
    return formatSse({ event, data })
  }

  return {
    start: (sink) =>
      source.start({
        chunk(bytes) {
          const text = parser.push(bytes).map(({ event, data }) => rewrite(event, data)).join('')
          if (text !== '') sink.chunk(encoder.encode(text))
        },
        end: () => sink.end(),
        fail: (error) => sink.fail(error),
      }),
    pause: () => source.pause(),
    resume: () => source.resume(),
    cancel: () => source.cancel(),
  }
}
