import { storage0001 } from './0001-storage.ts'
import { approvals0080 } from './0080-approvals.ts'

/** One step of the schema: SQL that runs once, in order, inside one transaction. Never edited after a release. */
export interface Migration {
  readonly name: string
  readonly up: readonly string[]
}

/** Every migration, oldest first. */
export const migrations: readonly Migration[] = [storage0001, approvals0080]
