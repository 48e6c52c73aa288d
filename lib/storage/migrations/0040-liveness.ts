import type { Migration } from './mod.ts'

export const liveness0040: Migration = {
  name: '0040-liveness',
  up: [
    `create table liveness (
      key text primary key,
      version integer not null,
      value text not null,
      updated_ms integer not null
    ) strict`,
    'create index liveness_updated on liveness (updated_ms)',
    `create table route_sessions (
      key text primary key,
      account text not null,
      bound_ms integer not null,
      used_ms integer not null
    ) strict`,
    'create index route_sessions_used on route_sessions (used_ms)',
    `create table provider_models (
      provider text primary key,
      models text not null,
      updated_ms integer not null
    ) strict`,
  ],
}
