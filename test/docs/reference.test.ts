import { expect, test } from 'bun:test'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pages } from './reference.ts'

const root = join(import.meta.dir, '../..')

test.each(Object.keys(pages))('%s says what the code says', async (file) => {
  expect(await readFile(join(root, file), 'utf8')).toBe(`${pages[file]!()}\n`)
})
