import type { Platform } from './port.ts'

/** The platform of the runtime this code runs on. Loads only that one's file. */
export async function detectPlatform(): Promise<Platform> {
  const runtime = globalThis as { Bun?: unknown; Deno?: unknown }
  if (runtime.Bun) return (await import('./bun.ts')).bunPlatform
  if (runtime.Deno) return (await import('./deno.ts')).denoPlatform
  return (await import('./node.ts')).nodePlatform
}
