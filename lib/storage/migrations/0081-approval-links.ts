import type { Migration } from './mod.ts'

export const approvalLinks0081: Migration = {
  name: '0081-approval-links',
  up: [
    `alter table approvals add column link_hash text`,
    `alter table approvals add column link_by text`,
  ],
}
