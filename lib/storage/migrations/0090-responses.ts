import type { Migration } from './mod.ts'

export const responses0090: Migration = {
  name: '0090-responses',
  up: [
    `create table response_turns (
      principal text not null,
      id text not null,
      created_ms integer not null,
      expires_ms integer not null,
      bytes integer not null,
      turn text not null,
      primary key (principal, id)
    ) strict`,
    `create index response_turns_age on response_turns (principal, created_ms, bytes)`,
    `create index response_turns_end on response_turns (expires_ms)`,
  ],
}
