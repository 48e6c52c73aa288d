import type { AnyRouter } from '@trpc/server'

/** Where each area is, so that one call loads one area. `router.ts` lists the same, all at once; a test compares. */
const areas: Readonly<Record<string, () => Promise<AnyRouter>>> = {
  accounts: async () => (await import('./accounts.ts')).accounts,
  afloat: async () => (await import('./stay-afloat.ts')).afloat,
  approvals: async () => (await import('./approvals.ts')).approvals,
  audit: async () => (await import('./audit-log.ts')).audit,
  auth: async () => (await import('./auth.ts')).auth,
  config: async () => (await import('./config.ts')).config,
  liveness: async () => (await import('./liveness.ts')).liveness,
  mcp: async () => (await import('./mcp.ts')).mcp,
  migrate: async () => (await import('./migrate.ts')).migrate,
  models: async () => (await import('./models.ts')).models,
  providers: async () => (await import('./providers.ts')).providers,
  repair: async () => (await import('./stay-afloat.ts')).repair,
  route: async () => (await import('./route.ts')).route,
  state: async () => (await import('./stay-afloat.ts')).state,
  system: async () => (await import('./system.ts')).system,
  tokens: async () => (await import('./tokens.ts')).tokens,
  usage: async () => (await import('./usage.ts')).usage,
}

/** One area of the operations, or `null` when there is none of this name. */
export async function loadArea(name: string): Promise<AnyRouter | null> {
  return Object.hasOwn(areas, name) ? await areas[name]!() : null
}
