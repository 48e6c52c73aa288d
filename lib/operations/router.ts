import { approvals } from './approvals.ts'
import { audit } from './audit-log.ts'
import { config } from './config.ts'
import { area } from './operation.ts'
import { system } from './system.ts'

/** Every operation, by area and name. */
export const operations = area({ approvals, audit, config, system })

/** The type that the typed client is made from. */
export type Operations = typeof operations
