import { accounts } from './accounts.ts'
import { approvals } from './approvals.ts'
import { audit } from './audit-log.ts'
import { auth } from './auth.ts'
import { config } from './config.ts'
import { mcp } from './mcp.ts'
import { migrate } from './migrate.ts'
import { models } from './models.ts'
import { area } from './operation.ts'
import { providers } from './providers.ts'
import { route } from './route.ts'
import { liveness } from './liveness.ts'
import { afloat, repair, state } from './stay-afloat.ts'
import { system } from './system.ts'
import { tokens } from './tokens.ts'
import { usage } from './usage.ts'

/** Every operation, by area and name. */
export const operations = area({
  accounts,
  afloat,
  approvals,
  audit,
  auth,
  config,
  liveness,
  mcp,
  migrate,
  models,
  providers,
  repair,
  route,
  state,
  system,
  tokens,
  usage,
})

/** The type that the typed client is made from. */
export type Operations = typeof operations
