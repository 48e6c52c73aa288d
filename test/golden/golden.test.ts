import { expect, test } from 'bun:test'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hear } from '../../lib/conform/grammar.ts'
import { isGwError, isObject, type JsonObject } from '../../lib/base/mod.ts'
import { translator } from '../../lib/protocol/mod.ts'
import { lossPage, matrix, protocols } from './golden.ts'
import { requests } from './requests.ts'

const fixtures = new URL('../fixtures', import.meta.url).pathname
const { files, cases, losses } = matrix()

test('the golden matrix has 300 cases and more, and each is what it was when it was reviewed', async () => {
  expect(cases).toBeGreaterThanOrEqual(300)
  for (const { path, text } of files) {
    expect(`${path}\n${text}`).toBe(`${path}\n${await readFile(join(fixtures, path), 'utf8')}`)
  }
})

test('no case of the golden matrix is left over', async () => {
  const known = new Set(files.map(({ path }) => path))
  for (const protocol of protocols) {
    const found = await readdir(join(fixtures, protocol), { recursive: true })
    const stray = found.filter((name) => /\.(json|sse)$/.test(name) && !known.has(`${protocol}/${name}`))
    expect(stray).toEqual([])
  }
})

test('every stream of the golden matrix keeps the grammar of its protocol and says what the whole answer says', () => {
  for (const { path, text } of files) {
    const to = /for-(.+)\.sse$/.exec(path)?.[1] as (typeof protocols)[number] | undefined
    if (to === undefined) continue
    const whole = files.find((file) => file.path === path.replace(/sse$/, 'json'))!
    const { failure, body } = JSON.parse(whole.text) as { failure: string | null; body: JsonObject }
    const heard = hear(to, text)
    expect([path, heard.error !== null]).toEqual([path, failure !== null])
    if (failure === null) expect([path, textsOf(body).join('').includes(heard.text)]).toEqual([path, true])
  }
})

test('the same protocol on both sides loses nothing of a request', () => {
  expect(losses.filter(({ from, to }) => from === to)).toEqual([])
})

test('strict refuses every request of the matrix that would lose something, with its path, and changes no other', () => {
  const options = { id: '0golden', now: 1_700_000_000_000 }
  let refused = 0
  let passed = 0
  for (const from of protocols) {
    for (const [name, body] of Object.entries(requests[from])) {
      for (const to of protocols) {
        const ask = (strict: boolean): unknown => {
          try {
            return translator(from, to, { ...options, strict }).request(body, { model: 'm-upstream' })
          } catch (error) {
            if (!isGwError(error)) throw error
            return { code: error.code, status: error.status, param: error.param }
          }
        }
        const lenient = ask(false) as { losses?: readonly { path: string }[] }
        const [first] = lenient.losses ?? []
        const expected = first ? { code: 'request.lossy', status: 400, param: first.path } : lenient
        expect([from, name, to, ask(true)]).toEqual([from, name, to, expected])
        first ? refused++ : passed++
      }
    }
  }
  expect(Math.min(refused, passed)).toBeGreaterThan(40)
})

test('every loss has a reason, and docs/translation.md prints them all', async () => {
  for (const { reason } of losses) expect(reason.length).toBeGreaterThan(5)
  const page = await readFile(new URL('../../docs/translation.md', import.meta.url).pathname, 'utf8')
  expect(page).toBe(lossPage(losses))
})

/** Every text in an answer, in order. */
function textsOf(value: unknown, key = ''): string[] {
  if (typeof value === 'string') return ['text', 'content', 'refusal'].includes(key) ? [value] : []
  if (Array.isArray(value)) return value.flatMap((item) => textsOf(item, key))
  return isObject(value) ? Object.entries(value).flatMap(([name, item]) => textsOf(item, name)) : []
}
