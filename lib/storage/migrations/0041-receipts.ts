import type { Migration } from './mod.ts'

export const receipts0041: Migration = {
  name: '0041-receipts',
  up: [
    `create table route_receipts (
      request text primary key,
      at_ms integer not null,
      value text not null
    ) strict`,
    'create index route_receipts_at on route_receipts (at_ms)',
  ],
}
