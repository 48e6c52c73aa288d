import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { controlKeys, strategyNames } from '../../../lib/routing/mod.ts'

test('the guide names every strategy and every control, and no strategy that is none', () => {
  const guide = readFileSync(new URL('../../../docs/routing.md', import.meta.url), 'utf8')
  const table = guide.slice(guide.indexOf('## Strategies'), guide.indexOf('## What a request may ask'))
  const named = [...table.matchAll(/^\| `([a-z-]+)`/gm)].map(([, name]) => name!)
  expect(named.sort()).toEqual([...strategyNames].sort())
  for (const key of controlKeys) expect(guide).toContain(key)
})
