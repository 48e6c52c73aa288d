import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { isGwError } from '../../../lib/base/mod.ts'
import { bedrockPath, geminiPath, vertexPath } from '../../../lib/protocol/mod.ts'

/** Each path that names a model, with what stands before the name and behind it. */
const paths: Readonly<Record<string, readonly [make: (model: string) => string, before: string, behind: string]>> = {
  bedrock: [(model) => bedrockPath(model, false), '/model/', '/invoke'],
  vertex: [(model) => vertexPath(model, true), '/', ':streamRawPredict'],
  gemini: [(model) => geminiPath('/v1beta', model, 'countTokens'), '/v1beta/models/', ':countTokens'],
}

for (const [name, [make, before, behind]] of Object.entries(paths)) {
  test(`no name of a model leads a path of ${name} elsewhere`, () => {
    const text = fc.oneof(
      fc.string({ minLength: 1 }),
      fc.array(fc.constantFrom('..', '.', '/', '%2e', '?', '#', '\\', 'a', '@', ':'), { minLength: 1 }).map((list) =>
        list.join('')
      ),
    ).filter((model) => model.isWellFormed())
    fc.assert(
      fc.property(text, (model) => {
        let path: string
        try {
          path = make(model)
        } catch (error) {
          expect(isGwError(error) && error.code === 'request.invalid' && error.param === 'model').toBe(true)
          return
        }
        const url = new URL(`https://h.test/base${path}`)
        expect([url.pathname.startsWith(`/base${before}`), url.pathname.endsWith(behind)]).toEqual([true, true])
        expect([url.host, url.hash, url.search]).toEqual(['h.test', '', ''])
        const inner = url.pathname.slice(`/base${before}`.length, -behind.length)
        expect(decodeURIComponent(inner)).toBe(model)
      }),
      { numRuns: 1000 },
    )
  })

  test(`names as they are stand in a path of ${name} as its vendor writes them`, () => {
    expect(make('claude-sonnet-4-5@20250929')).toContain('claude-sonnet-4-5@20250929')
    for (const model of ['..', 'a/../b', 'a//b', './a', '']) expect(() => make(model)).toThrow('no model can be called')
  })
}
