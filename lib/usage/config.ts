import { z } from 'zod'
import { isTimeZone } from '../base/mod.ts'

/** `[usage]` of the config file. */
export const usageConfig = z.object({
  retention_days: z.number().int().min(1).max(3_650).default(30).describe('Requests are kept this long'),
  max_log_mb: z.number().int().min(1).max(1_000_000).default(1_024).describe(
    'Size of the kept requests; the oldest go first',
  ),
  summary_days: z.number().int().min(1).max(3_650).default(400).describe('Hourly sums are kept this long'),
  time_zone: z.string().refine(isTimeZone, 'not an IANA time zone').default('UTC').describe('Where a day begins'),
  bodies: z.enum(['off', 'errors', 'all']).default('off').describe(
    'Whose request bodies are kept, with credentials blotted out',
  ),
  body_hours: z.number().int().min(1).max(8_760).default(24).describe('Bodies are kept this long'),
  max_body_kb: z.number().int().min(1).max(4_096).default(64).describe('What is longer is cut'),
  audio_directory: z.string().min(1).optional().describe('Where uploaded audio is kept; absent keeps none'),
  audio_hours: z.number().int().min(1).max(8_760).default(168).describe('Audio is kept this long'),
  max_audio_mb: z.number().int().min(1).max(100_000).default(512).describe('Size of the kept audio'),
}).strict().prefault({})

/** The parsed `[usage]`. */
export type UsageConfig = z.output<typeof usageConfig>
