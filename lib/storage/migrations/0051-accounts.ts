import type { Migration } from './mod.ts'

export const accounts0051: Migration = {
  name: '0051-accounts',
  up: [
    `create table accounts (
      id text primary key,
      provider text not null,
      record text not null,
      created_ms integer not null,
      updated_ms integer not null
    ) strict`,
  ],
}
