import { expect, test } from 'bun:test'
import { budgets } from '../../../lib/repair/definition/budget.ts'
import { admit } from '../../../lib/repair/admission.ts'
import { inventorySchemas } from '../../../lib/repair/inventory/schema.ts'

test('the table of admission classes in the guide is what the code does', async () => {
  const guide = await Bun.file(new URL('../../../docs/stay-afloat.md', import.meta.url)).text()
  const rows = [...guide.matchAll(/^\| `(\w+)`\s*\|[^|]*\| (yes|no)\s*\|$/gm)].map((row) => [row[1], row[2]])
  const { daemon } = inventorySchemas().policy.parse({})
  const done = budgets.map((budget) => {
    const step = {
      kind: 'probe',
      budget,
      interactive: budget === 'interactive',
      mutating: budget === 'mutating',
    } as const
    return [budget, admit(step, daemon).admitted ? 'yes' : 'no']
  })
  expect(rows as unknown[]).toEqual(done)
})
