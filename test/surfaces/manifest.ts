import { settings } from '../../lib/config/mod.ts'
import { describeOperations } from '../../lib/operations/mod.ts'
import { operations } from '../../lib/operations/router.ts'

/** What `client/cli/manifest.json` must hold: names, schemas and settings as the code has them. */
export const manifest = () =>
  `${JSON.stringify({ operations: describeOperations(operations), settings: settings() }, null, 1)}\n`

if (import.meta.main) {
  await Bun.write(new URL('../../client/cli/manifest.json', import.meta.url), manifest())
}
