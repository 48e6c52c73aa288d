import type { Migration } from './mod.ts'

export const storage0001: Migration = {
  name: '0001-storage',
  up: [
    `create table leases (
      name text primary key,
      holder text not null,
      fence integer not null,
      until_ms integer not null
    ) strict`,
    `create table facts (
      key text primary key,
      value text not null,
      updated_ms integer not null
    ) strict`,
  ],
}
