// What a long history costs: a home with a million requests and fifty thousand tokens, the list operations over it, and
// the relay while they are asked. `bun bench/many-rows.ts [ROWS] [TOKENS]`; prints one line a measurement.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { operator } from '../lib/access/mod.ts'
import { createGateway } from '../lib/create-gateway.ts'
import { operationContext } from '../lib/operation-context.ts'
import { callOperation } from '../lib/operations/mod.ts'

const rows = Number(process.argv[2] ?? 1_000_000)
const tokens = Number(process.argv[3] ?? 50_000)
const root = mkdtempSync(join(tmpdir(), 'gw-many-rows-'))
const gateway = await createGateway({ home: root, cwd: root, env: {}, demo: true, keychain: null })
const { rooms } = gateway
const { db } = rooms.storage
const now = Date.now()
const spanMs = 30 * 86_400_000

/** A number for each row, made by the database itself. */
const numbers = (count: number) =>
  sql`with recursive n(i) as (select 0 union all select i + 1 from n where i < ${count - 1})`
const hour = sql`(${now - spanMs} + i * ${spanMs / rows}) / 3600000 * 3600000`
const sums = sql.raw(
  '1, i % 50 = 0, 1000, 200, 300, 0, 0, 1500, 0, 0, 0, 900, 200, 1, 4000, 2000',
)

async function seed(): Promise<void> {
  await sql`insert into tokens (id, label, issued_ms, expires_ms, revoked_ms, parent, issuer, grant_json)
    ${
    numbers(tokens)
  } select 'tok_' || i, 'token ' || i, ${now} - i, null, null, null, 'operator', '{"scopes":["write"]}'
    from n`.execute(db)
  await sql`insert into requests ${numbers(rows)} select ${now - spanMs} + i * ${spanMs / rows}, 'req_' || i,
    'tok_' || (i % ${tokens}), 'chat', 'openai-chat', 'demo-small', 'model-' || (i % 40), 'provider-' || (i % 8),
    'account-' || (i % 20), 1, 1000, 200, 300, 0, 0, 0, 0, 1500, null, null, null, 200,
    case i % 50 when 0 then 'failed' else 'ok' end, null, 200, 900, 4000, 2000, null, 'client/1', '[]', '[]' from n`
    .execute(db)
  for (
    const [dimension, key] of [['total', `''`], ['model', `'model-' || (i % 40)`], [
      'provider',
      `'provider-' || (i % 8)`,
    ]]
  ) {
    await sql`insert into usage_hours ${numbers(rows)} select ${dimension!}, ${hour}, ${
      sql.raw(key!)
    }, ${sums} from n where true
      on conflict do update set requests = requests + 1`.execute(db)
  }
  // Every token on every day: as many sums of days as there are requests.
  for (const [dimension, ms] of [['token', 3_600_000], ['token/day', 86_400_000], ['token/stretch', 8 * 86_400_000]]) {
    await sql`insert into usage_hours ${numbers(rows)} select ${dimension},
      (${now} - i % 30 * 86400000) / ${ms} * ${ms}, 'tok_' || (i / 30), ${sums} from n where true
      on conflict do update set requests = requests + 1`.execute(db)
  }
  await sql`insert into usage_by_principal ${
    numbers(rows)
  } select 'tok_' || (i % ${tokens}), ${hour}, 'provider-' || (i % 8),
    'account-' || (i % 20), 'model-' || (i % 40), 'chat', ${sums} from n where true
    on conflict do update set requests = requests + 1`.execute(db)
}

const context = operationContext(rooms, rooms.system, { principal: operator, surface: 'cli', signal: null })
const lists: readonly (readonly [string, object])[] = [
  ['usage.summary', { by: 'day' }],
  ['usage.summary', { by: 'model' }],
  ['usage.summary', { by: 'token' }],
  ['usage.summary', { by: 'token', from: now - spanMs }],
  ['usage.summary', { by: 'account', from: now - spanMs }],
  ['usage.summary', { by: 'model', provider: 'provider-3' }],
  ['usage.requests', { limit: 100 }],
  ['usage.requests', { limit: 100, model: 'model-7' }],
  ['usage.requests', { limit: 100, model: 'model-none' }],
  ['usage.request', { id: 'req_500' }],
  ['tokens.list', { limit: 100 }],
  ['audit.list', { limit: 100 }],
  ['accounts.list', {}],
  ['approvals.list', {}],
]

const { token } = await rooms.access.issue({ label: 'bench', scopes: ['write'] }, operator)
const ask = async (): Promise<number> => {
  const began = performance.now()
  const answer = await gateway.fetch(
    new Request('http://localhost/v1/chat/completions', {
      method: 'POST',
      headers: { authorization: `Bearer ${token.reveal()}`, 'content-type': 'application/json' },
      body: '{"model":"demo-small","messages":[{"role":"user","content":"hi"}]}',
    }),
  )
  await answer.arrayBuffer()
  return performance.now() - began
}

const part = (list: number[], of: number): number => [...list].sort((a, b) => a - b)[Math.floor(list.length * of)] ?? 0
const round = (ms: number): number => Math.round(ms * 100) / 100

/** Requests one after the other, paced, for a while; each in milliseconds. */
async function relay(count: number): Promise<number[]> {
  const out: number[] = []
  for (let i = 0; i < count; i++) {
    out.push(await ask())
    await new Promise((done) => setTimeout(done, 2))
  }
  return out
}

try {
  await relay(200)
  const few = await relay(500)
  await seed()
  await relay(100)
  const { rows: [kept] } = await sql<{ n: number }>`select count(*) as n from usage_by_principal`.execute(db)
  console.log(JSON.stringify({ rows, tokens, sums: kept?.n }))
  const many = await relay(500)
  console.log(JSON.stringify({ relay: 'few tokens', p50: round(part(few, 0.5)), p99: round(part(few, 0.99)) }))
  console.log(JSON.stringify({ relay: `${tokens} tokens`, p50: round(part(many, 0.5)), p99: round(part(many, 0.99)) }))
  for (const [name, input] of lists) {
    const walls: number[] = []
    const blocks: number[] = []
    for (let i = 0; i < 7; i++) {
      const began = performance.now()
      let last = began
      let longest = 0
      const timer = setInterval(() => {
        longest = Math.max(longest, performance.now() - last)
        last = performance.now()
      }, 1)
      await callOperation(name, input, context)
      await new Promise((done) => setTimeout(done, 2))
      clearInterval(timer)
      longest = Math.max(longest, performance.now() - last)
      walls.push(performance.now() - began)
      blocks.push(longest)
    }
    console.log(JSON.stringify({ list: name, input, ms: round(part(walls, 0.5)), blockedMs: round(part(blocks, 0.5)) }))
  }
  const calm: number[] = []
  const busy: number[] = []
  for (let round = 0; round < 6; round++) {
    calm.push(...await relay(250))
    let going = true
    const asking = (async () => {
      for (let i = 0; going; i++) {
        const [name, input] = lists[i % lists.length]!
        await callOperation(name, input, context)
        await new Promise((done) => setTimeout(done, 250))
      }
    })()
    busy.push(...await relay(250))
    going = false
    await asking
  }
  const [a, b] = [part(calm, 0.99), part(busy, 0.99)]
  console.log(JSON.stringify({ relay: 'alone', p50: round(part(calm, 0.5)), p99: round(a) }))
  console.log(
    JSON.stringify({ relay: 'while lists are asked', p50: round(part(busy, 0.5)), p99: round(b), moved: round(b / a) }),
  )
} finally {
  await gateway.close()
  rmSync(root, { recursive: true, force: true })
}
