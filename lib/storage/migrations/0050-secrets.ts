import type { Migration } from './mod.ts'

export const secrets0050: Migration = {
  name: '0050-secrets',
  up: [
    `create table secrets (
      ref text primary key,
      sealed text not null,
      created_ms integer not null,
      updated_ms integer not null
    ) strict`,
  ],
}
