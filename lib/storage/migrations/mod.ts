import { storage0001 } from './0001-storage.ts'
import { access0010 } from './0010-access.ts'
import { usage0020 } from './0020-usage.ts'
import { usageStretches0021 } from './0021-usage-stretches.ts'
import { liveness0040 } from './0040-liveness.ts'
import { receipts0041 } from './0041-receipts.ts'
import { secrets0050 } from './0050-secrets.ts'
import { accounts0051 } from './0051-accounts.ts'
import { repair0060 } from './0060-repair.ts'
import { audit0070 } from './0070-audit.ts'
import { approvals0080 } from './0080-approvals.ts'
import { approvalLinks0081 } from './0081-approval-links.ts'
import { responses0090 } from './0090-responses.ts'

/** One step of the schema: SQL that runs once, in order, inside one transaction. Never edited after a release. */
export interface Migration {
  readonly name: string
  readonly up: readonly string[]
}

/** Every migration, oldest first. */
export const migrations: readonly Migration[] = [
  storage0001,
  access0010,
  usage0020,
  usageStretches0021,
  liveness0040,
  receipts0041,
  secrets0050,
  accounts0051,
  repair0060,
  audit0070,
  approvals0080,
  approvalLinks0081,
  responses0090,
]
