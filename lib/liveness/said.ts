import { isObject } from '../base/mod.ts'

/** What an error body says, whatever its shape. */
export interface Said {
  readonly message: string
  /** Every code and type that the body names, lower case. */
  readonly codes: readonly string[]
  readonly error: Readonly<Record<string, unknown>>
}

const maxBodyLength = 65_536

/** Reads an error body: JSON of any protocol, or plain text that is short enough to show. */
export function readBody(body: unknown): Said {
  let value = body
  if (body instanceof Uint8Array) value = new TextDecoder().decode(body.subarray(0, maxBodyLength))
  if (typeof value === 'string') {
    const text = value.slice(0, maxBodyLength)
    try {
      value = JSON.parse(text)
    } catch {
      // A web page or plain text: only short text is worth showing.
      const plain = /^\s*</.test(text) ? '' : text.slice(0, 500)
      return { message: plain, codes: [], error: {} }
    }
  }
  if (Array.isArray(value)) value = value[0]
  if (!isObject(value)) return { message: typeof value === 'string' ? value : '', codes: [], error: {} }
  const inner = isObject(value.error)
    ? value.error
    : isObject(value.response) && isObject(value.response.error)
    ? value.response.error
    : value
  const codes: string[] = []
  const note = (code: unknown): void => {
    if (typeof code === 'string' && code !== '' && code.length <= 200) codes.push(code.toLowerCase())
    else if (typeof code === 'number') codes.push(String(code))
  }
  for (const from of inner === value ? [value] : [inner, value]) {
    note(from.code)
    note(from.type)
    note(from.__type)
    note(from.status)
    note(from.reason)
  }
  if (isObject(inner.innererror)) note(inner.innererror.code)
  if (typeof value.error === 'string') note(value.error)
  const texts = [inner.message, inner.Message, inner.detail, value.message, value.detail, value.error, inner.msg]
  const detail = Array.isArray(value.detail) && isObject(value.detail[0]) ? value.detail[0].msg : undefined
  const message = [...texts, detail].find((text) => typeof text === 'string' && text !== '') ?? ''
  const raw = isObject(inner.metadata) && typeof inner.metadata.raw === 'string' ? ` ${inner.metadata.raw}` : ''
  return { message: `${message as string}${raw}`.slice(0, 4_000), codes, error: inner }
}
