import type { Migration } from './mod.ts'

export const access0010: Migration = {
  name: '0010-access',
  up: [
    `create table tokens (
      id text primary key,
      label text not null,
      issued_ms integer not null,
      expires_ms integer,
      revoked_ms integer,
      parent text,
      issuer text not null,
      grant_json text not null
    ) strict`,
    `create index tokens_by_parent on tokens (parent) where parent is not null`,
    `create index tokens_by_issue on tokens (issued_ms, id)`,
    `create table token_changes (
      seq integer primary key autoincrement,
      token text not null,
      at_ms integer not null
    ) strict`,
    `create table budget_spend (
      budget text not null,
      period_ms integer not null,
      writer text not null,
      spent_micros integer not null,
      requests integer not null,
      updated_ms integer not null,
      primary key (budget, period_ms, writer)
    ) strict, without rowid`,
    `create index budget_spend_by_update on budget_spend (updated_ms)`,
  ],
}
