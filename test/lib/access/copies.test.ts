import { expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readRouterTokens } from '../../../lib/access/mod.ts'
import { operator } from '../../../lib/access/principal.ts'
import { startGateway } from '../../support/gateway.ts'

test('access.storage_policy keeps the copies of the token list in the data folder of the home', async () => {
  const home = await mkdtemp(join(tmpdir(), 'gw-copies-'))
  try {
    const settings = { 'access.storage_policy': 'both' }
    const gateway = await startGateway({ home, settings, options: { watch: false } })
    const { access, paths } = gateway.gateway.rooms
    const { info } = await access.issue({ label: 'copied' }, operator)
    await gateway.close()
    const found = await readRouterTokens(paths.data)
    expect(found.map(({ id, label }) => [id, label])).toContainEqual([info.id, 'copied'])
  } finally {
    await rm(home, { recursive: true, force: true })
  }
})
