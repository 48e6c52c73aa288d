import { drawShapes } from '../../lib/config/draw-shapes.ts'
import { configManifest } from '../../lib/config/manifest.ts'
import { describeOperations } from '../../lib/operations/mod.ts'
import { operations } from '../../lib/operations/router.ts'

/**
 * What the code says of itself, as data, so that a start need not draw it up from schemas: by file, what it must hold.
 * `bun run manifest` writes the files, and a test compares them.
 */
export const manifests: Readonly<Record<string, () => unknown | Promise<unknown>>> = {
  'lib/operations/manifest.json': () => describeOperations(operations),
  'lib/config/manifest.json': configManifest,
  'lib/config/shapes.json': drawShapes,
}

if (import.meta.main) {
  for (const [file, draw] of Object.entries(manifests)) {
    await Bun.write(new URL(`../../${file}`, import.meta.url), `${JSON.stringify(await draw(), null, 1)}\n`)
  }
}
