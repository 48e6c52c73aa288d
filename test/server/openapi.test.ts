import { afterAll, beforeAll, expect, test } from 'bun:test'
import SwaggerParser from '@apidevtools/swagger-parser'
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openServed, type ServedGateway } from '../surfaces/served.ts'

let served: ServedGateway
let text: string
beforeAll(async () => {
  served = await openServed()
  text = await (await fetch(`${served.url}/docs/json`)).text()
})
afterAll(() => served.close())

interface Described {
  readonly operationId?: string
  readonly security?: readonly unknown[]
}

test('the OpenAPI document is a valid one, and each operation in it has a name of its own', async () => {
  const document = await SwaggerParser.validate(JSON.parse(text))
  const paths = Object.entries(document.paths ?? {})
  expect(paths.length).toBeGreaterThan(100)
  const ids = paths.flatMap(([path, item]) =>
    Object.entries(item as Record<string, Described>).map(([method, { operationId }]) =>
      operationId ?? `${method} ${path}`
    )
  )
  expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([])
})

interface Asked extends Described {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[]
  readonly requestBody?: object
  readonly responses: Readonly<Record<string, { readonly content?: object }>>
}

test('every path of the document answers with a status and a type that stand there', async () => {
  const { paths = {} } = await SwaggerParser.dereference(JSON.parse(text))
  const odd: string[] = []
  let answered = 0
  for (const [path, item] of Object.entries(paths)) {
    for (const [method, { parameters = [], requestBody, responses }] of Object.entries(item as Record<string, Asked>)) {
      if (path.startsWith('/api/trpc')) continue
      const query = parameters.filter((one) => one.in === 'query' && one.required).map(({ name }) => `${name}=x`)
      const at = `${path.replace(/\{[^}]+\}|:\w+/g, 'x')}?${query.join('&')}`
      const reply = await fetch(served.url + at, {
        method: method.toUpperCase(),
        headers: { authorization: `Bearer ${served.token}`, 'content-type': 'application/json' },
        redirect: 'manual',
        ...(requestBody ? { body: '{}' } : {}),
      })
      const said = await reply.text()
      const type = reply.headers.get('content-type')?.split(';')[0] ?? ''
      const written = responses[reply.status] ?? responses.default
      const fits = written && (written.content === undefined || type in written.content)
      if (!fits || reply.status >= 500) odd.push(`${method} ${path}: ${reply.status} ${type} ${said.slice(0, 100)}`)
      answered++
    }
  }
  expect(odd).toEqual([])
  expect(answered).toBeGreaterThan(130)
}, 60_000)

const folder = process.env['GW_TOOLS']
const skip = folder === undefined || !existsSync(join(folder, 'node_modules/openapi-fetch'))
if (skip) {
  console.log(
    'skipped: generated client: npm install --prefix FOLDER openapi-typescript@7.13.0 openapi-fetch@0.17.0, then ' +
      'GW_TOOLS=FOLDER',
  )
}

/** A client of the types that a generator made of the document. */
const program = `import createClient from 'openapi-fetch'
import type { paths } from './api.ts'
declare const process: { readonly env: Readonly<Record<string, string>> }
const gw = createClient<paths>({ baseUrl: process.env.GW_URL, headers: { authorization: 'Bearer ' + process.env.GW_TOKEN } })
const { data: listed } = await gw.GET('/api/accounts/list', { params: { query: { provider: 'demo' } } })
const { data: issued } = await gw.POST('/api/tokens/issue', { body: { label: 'generated', ttl_hours: 1, scopes: ['read'] } })
const { error } = await gw.GET('/api/tokens/show', { params: { query: { id: 'nobody' } } })
const label: string = issued!.label
const ids: string[] = listed!.data.map((account) => account.id)
console.log(JSON.stringify({ ids, label, code: error!.title }))
`

test.skipIf(skip)('a client that is generated from the document type-checks and talks to gw', async () => {
  const work = mkdtempSync(join(tmpdir(), 'gw-openapi-'))
  try {
    const bin = (name: string) => join(folder!, 'node_modules/.bin', name)
    symlinkSync(join(folder!, 'node_modules'), join(work, 'node_modules'))
    await Bun.write(join(work, 'api.json'), text)
    await Bun.write(join(work, 'package.json'), '{"type":"module"}')
    await Bun.write(join(work, 'client.ts'), program)
    const run = async (argv: string[]) => {
      const child = Bun.spawn(argv, {
        cwd: work,
        env: { PATH: process.env['PATH'] ?? '', GW_URL: served.url, GW_TOKEN: served.token },
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: 'pipe',
      })
      const [out, complaint] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
      expect([argv[0], await child.exited, complaint + out]).toEqual([argv[0], 0, expect.any(String)])
      return out
    }
    await run([process.execPath, bin('openapi-typescript'), 'api.json', '-o', 'api.ts'])
    const flags = '--noEmit --strict --module nodenext --target esnext --allowImportingTsExtensions --skipLibCheck'
    await run([process.execPath, bin('tsc'), ...flags.split(' '), 'client.ts'])
    expect(JSON.parse(await run([process.execPath, 'client.ts']))).toEqual({
      ids: ['demo'],
      label: 'generated',
      code: 'request.not_found',
    })
  } finally {
    rmSync(work, { recursive: true })
  }
}, 120_000)
