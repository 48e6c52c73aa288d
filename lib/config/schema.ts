import { z } from 'zod'
import { type Config, type ConfigInput, sections } from './sections.ts'

/** The schema of the whole configuration: for what describes it. What only judges one takes `validate.ts`. */
export async function configSchema(): Promise<z.ZodType<Config, ConfigInput> & z.ZodObject> {
  const loaded = await Promise.all(
    Object.entries(sections).map(async ([name, { describe, load }]) =>
      [name, (await load()).describe(describe)] as const
    ),
  )
  return z.object(Object.fromEntries(loaded)).strict() as unknown as z.ZodType<Config, ConfigInput> & z.ZodObject
}
