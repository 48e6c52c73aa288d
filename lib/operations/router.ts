import { accounts } from './accounts.ts'
import { approvals } from './approvals.ts'
import { audit } from './audit-log.ts'
import { config } from './config.ts'
import { area } from './operation.ts'
import { system } from './system.ts'
import { tokens } from './tokens.ts'

/** Every operation, by area and name. */
export const operations = area({ accounts, approvals, audit, config, system, tokens })

/** The type that the typed client is made from. */
export type Operations = typeof operations
