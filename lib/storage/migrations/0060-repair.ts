import type { Migration } from './mod.ts'

export const repair0060: Migration = {
  name: '0060-repair',
  up: [
    `create table repair_events (
      id integer primary key autoincrement,
      at_ms integer not null,
      kind text not null,
      outcome text not null,
      profile text,
      provider text,
      account text,
      capability text,
      value text not null
    ) strict`,
    `create table repair_handoffs (
      id integer primary key autoincrement,
      key text not null,
      profile text,
      provider text not null,
      account text not null,
      capability text,
      action text not null,
      reason text not null,
      command text,
      queued_ms integer not null,
      acknowledged_ms integer,
      resolved_ms integer
    ) strict`,
    `create unique index repair_handoffs_pending on repair_handoffs (key) where resolved_ms is null`,
    `create table repair_identities (
      account text primary key,
      identity text not null,
      expires_ms integer,
      seen_ms integer not null
    ) strict`,
    `create table repair_uses (
      account text not null,
      month text not null,
      uses integer not null,
      primary key (account, month)
    ) strict`,
    `create table repair_running (
      account text primary key,
      started_ms integer not null,
      until_ms integer not null
    ) strict`,
  ],
}
