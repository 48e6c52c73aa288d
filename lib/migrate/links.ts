import { GwError, type Json, type JsonObject } from '../base/mod.ts'

/** What each key of the indented form is called in a record. */
const keys: Readonly<Record<string, string>> = {
  'kind': 'kind',
  'base-url': 'base_url',
  'base_url': 'base_url',
  'api-base': 'base_url',
  'api_base': 'base_url',
  'model': 'default_model',
  'default-model': 'default_model',
  'default_model': 'default_model',
  'models': 'models',
  'api-key': 'api_key',
  'api_key': 'api_key',
  'api-key-env': 'api_key_env',
  'api_key_env': 'api_key_env',
  'enabled': 'enabled',
}

/**
 * The providers of a text in the indented Links form: a name on a line of its own, its keys indented below.
 *
 * @throws GwError `config.invalid` with the line of a key that is none
 * @see requirement LR-10.7
 */
export function readLinks(text: string, name: string): JsonObject[] {
  const records: Record<string, Json>[] = []
  text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/).forEach((line, i) => {
    if (line.trim() === '' || line.trim().startsWith('#')) return
    const wrong = (why: string) => new GwError('config.invalid', `${name}:${i + 1}: ${why}`)
    if (!/^\s/.test(line)) {
      records.push({ name: unquoted(line.trim().replace(/:$/, '')) })
      return
    }
    const match = /^([A-Za-z_-]+)(?:\s*:\s*|\s+)(.*)$/.exec(line.trim())
    const key = match && Object.hasOwn(keys, match[1]!) ? keys[match[1]!]! : null
    const record = records.at(-1)
    if (!match || key === null) throw wrong(`${(match?.[1] ?? line.trim()).slice(0, 40)} is no key of a provider`)
    if (!record) throw wrong('a key stands before any name')
    const value = unquoted(match[2]!.trim())
    if (key === 'models') record[key] = value.split(/[\s,]+/).map(unquoted).filter((one) => one !== '')
    else record[key] = key === 'enabled' ? !/^(false|0|no|off)$/i.test(value) : value
  })
  return records
}

const unquoted = (text: string): string => /^(["'])(.*)\1$/.exec(text)?.[2] ?? text

/** Whether a text is in that form: a line with one word, and an indented line below it. */
export const isLinks = (text: string): boolean =>
  /^(?!#)["']?[A-Za-z0-9._-]+["']?:?[ \t]*(?:\r\n|\r|\n)(?:[ \t]*(?:#.*)?(?:\r\n|\r|\n))*[ \t]+[A-Za-z_-]+(?:\s*:|\s)/m
    .test(text)
