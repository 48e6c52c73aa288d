import type { Migration } from './mod.ts'

export const audit0070: Migration = {
  name: '0070-audit',
  up: [
    `create table audit (
      id text primary key,
      at_ms integer not null,
      principal text not null,
      surface text not null,
      operation text not null,
      effect text not null,
      input text not null,
      before text not null,
      state text not null,
      after text,
      error text
    ) strict`,
  ],
}
