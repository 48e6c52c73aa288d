import { Database } from 'bun:sqlite'
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { balance } from '../../bench/day/books.ts'
import type { Seen } from '../../bench/day/clients.ts'
import { accountsOf } from '../../bench/day/gateway.ts'
import type { Call, Outage } from '../../bench/day/vendor.ts'

const root = mkdtempSync(join(tmpdir(), 'gw-books-'))
afterAll(() => rmSync(root, { recursive: true }))

const seen: Seen = {
  tag: 'day-1',
  protocol: 'chat',
  provider: 'qwen-portal',
  at: 5_000,
  doneAt: 5_100,
  id: 'req_1',
  end: 'served',
  status: 200,
  error: null,
}
const call: Call = { tag: 'day-1', key: 'day-login-1', at: 5_000, fault: 'none', end: 'served', outputTokens: 7 }
const row = {
  id: 'req_1',
  outcome: 'ok',
  output_tokens: 7 as number | null,
  attempts: [{ failure: null as string | null }],
}
let files = 0
const vendor = (calls: readonly Call[], outages: readonly Outage[] = []) => ({ calls, outages, accountsOf })

function books(rows: readonly (typeof row)[]): string {
  const path = join(root, `${++files}.sqlite`)
  const db = new Database(path)
  db.run('create table requests (id text, outcome text, error text, output_tokens int, attempts text)')
  for (const { id, outcome, output_tokens, attempts } of rows) {
    db.run('insert into requests values (?, ?, null, ?, ?)', [id, outcome, output_tokens, JSON.stringify(attempts)])
  }
  db.close()
  return path
}

describe('the books of a day', () => {
  test('agree when clients, ledger and vendor tell the same', () => {
    expect(balance([seen], vendor([call]), books([row])).wrong).toEqual([])
  })
  test.each<[string, Partial<Seen>, readonly Call[], readonly (typeof row)[]]>([
    ['a lost record', {}, [call], []],
    ['a record nobody asked for', {}, [call], [row, { ...row, id: 'req_2' }]],
    ['tokens that differ', {}, [call], [{ ...row, output_tokens: 8 }]],
    ['tokens that are missing', {}, [call], [{ ...row, output_tokens: null }]],
    ['a call that the ledger does not know', {}, [call, call], [row]],
    ['an attempt that the vendor never saw', {}, [call], [{ ...row, attempts: [...row.attempts, ...row.attempts] }]],
    ['an answer that is written as a failure', {}, [call], [{ ...row, outcome: 'failed' }]],
    ['an error without a cause', { end: 'error', error: 'x' }, [call], [{ ...row, outcome: 'failed' }]],
    ['an answer without an id', { id: null }, [call], [row]],
  ])('do not agree with %s', (_, change, calls, rows) => {
    expect(balance([{ ...seen, ...change }], vendor(calls), books(rows)).wrong).not.toEqual([])
  })
  test('an error that the vendor planted is explained, and one who left owes nothing', () => {
    const failed = { ...seen, end: 'error' as const, error: 'x' }
    const planted = { ...call, fault: 'server_error' as const, end: 'fault' as const, outputTokens: null }
    const failure = { ...row, outcome: 'failed', output_tokens: null, attempts: [{ failure: 'server_error' }] }
    expect(balance([failed], vendor([planted]), books([failure]))).toMatchObject({ explained: 1, wrong: [] })
    const waiting = { ...failed, status: 429, tag: 'day-2', id: 'req_2' }
    const told = { ...planted, fault: 'rate_limited' as const, at: 4_500 }
    const refused = { ...row, id: 'req_2', outcome: 'denied', output_tokens: null, attempts: [] }
    expect(balance([failed, waiting], vendor([told]), books([failure, refused]))).toMatchObject({
      explained: 2,
      wrong: [],
    })
    expect(balance([failed, { ...waiting, at: 60_000 }], vendor([told]), books([failure, refused])).wrong).toHaveLength(
      1,
    )
    const spared = { ...waiting, provider: 'openai' as const, status: 503 }
    const resting = { ...told, key: 'sk-day-openai-a' }
    const outage: Outage = { key: 'sk-day-openai-b', from: 0, until: 9_000 }
    const refusedAlone = books([{ ...refused, id: 'req_2' }])
    expect(balance([spared], vendor([resting], [outage]), refusedAlone).wrong).toEqual([])
    expect(balance([spared], vendor([resting]), refusedAlone).wrong).toHaveLength(1)
    const left = { ...seen, end: 'left' as const, id: null }
    expect(balance([left], vendor([{ ...call, end: 'left' }]), books([{ ...row, outcome: 'aborted' }])).wrong).toEqual(
      [],
    )
  })
})

test.skipIf(process.platform !== 'linux')('a day in fifteen seconds: every book agrees', async () => {
  const day = Bun.spawn(
    [process.execPath, 'bench/day.ts', '--minutes', '0.25', '--clients', '12', '--think-ms', '300'],
    {
      cwd: join(import.meta.dir, '../..'),
      stdout: 'pipe',
      stderr: 'pipe',
    },
  )
  const [said, complaints, code] = await Promise.all([
    new Response(day.stdout).text(),
    new Response(day.stderr).text(),
    day.exited,
  ])
  expect({ code, said: `${said}${complaints}` }).toEqual({
    code: 0,
    said: expect.stringContaining('the day went well'),
  })
}, 180_000)
