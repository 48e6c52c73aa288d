import { configSchema } from './schema.ts'
import { drawSettings } from './settings.ts'

/** What `manifest.json` beside this file must hold: every setting with a fixed name, and the defaults of all sections. */
export async function configManifest(): Promise<object> {
  return { settings: await drawSettings(), defaults: (await configSchema()).parse({}) }
}
