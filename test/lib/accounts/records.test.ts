import { expect, test } from 'bun:test'
import { silentLogger } from '../../../lib/base/mod.ts'
import { accountSchema } from '../../../lib/accounts/config.ts'
import { readRecords } from '../../../lib/accounts/records.ts'

// Plain records are read without the schema: what comes of them must be what the schema makes of them.

const records: readonly Record<string, unknown>[] = [
  { provider: 'openai' },
  { provider: 'openai', token_store: 'account/a' },
  { provider: 'openai', token_env: 'KEY', token_store: 'account/a', label: '', priority: -3, weight: 0.5 },
  { provider: 'openai', login: 'chatgpt.work', plan: true, allow_undocumented_use: true, tags: ['a'], models: ['x*'] },
  { provider: 'openai', token_command: ['pass', 'x'], cache_ttl_secs: 0, timeout_secs: 600 },
  { provider: 'openai', token: 'sk', kind: 'api_key', concurrency: 1, requests_per_minute: 0.5 },
  { provider: 'openai', token_stdin: true, base_url: 'https://x.example/v1' },
  { provider: 'openai', foreign: { tool: 'codex' }, account_id_command: ['id'] },
  { provider: 'openai', keychain: { service: 's', account: 'a' }, spend_micros_per_day: 5 },
  { provider: 'bedrock', aws_profile: 'p' },
  { provider: '' },
  { provider: 'openai', priority: 1.5 },
  { provider: 'openai', weight: 0 },
  { provider: 'openai', timeout_secs: 601 },
  { provider: 'openai', token_command: [] },
  { provider: 'openai', login: 'Not A Vendor' },
  { provider: 'openai', token: 'a', token_file: 'b' },
  { provider: 'openai', concurrency: 0 },
  { provider: 'openai', stranger: 1 },
  { provider: 'openai', base_url: 'no url' },
  { provider: 'openai', token_stdin: false },
]

for (const record of records) {
  test(`${JSON.stringify(record)} is read as the schema reads it`, async () => {
    const judged = accountSchema.safeParse(record)
    const read = await readRecords([{ id: 'a', record: JSON.stringify(record) }], silentLogger)
    expect(read).toEqual(judged.success ? [['a', judged.data]] : [])
  })
}

test('what is no JSON is left out, and hides no other', async () => {
  const rows = [{ id: 'torn', record: '{"provider":' }, { id: 'whole', record: '{"provider":"openai"}' }]
  expect((await readRecords(rows, silentLogger)).map(([id]) => id)).toEqual(['whole'])
})
