import type { Migration } from './mod.ts'

export const approvals0080: Migration = {
  name: '0080-approvals',
  up: [
    `create table approvals (
      id text primary key,
      digest text not null,
      principal text not null,
      subject text not null,
      preview text not null,
      state text not null,
      created_ms integer not null,
      expires_ms integer not null,
      decided_by text
    ) strict`,
    `create index approvals_digest on approvals (digest, state)`,
    `create index approvals_created on approvals (created_ms)`,
    `create table mcp_tools (
      server text not null,
      tool text not null,
      description_hash text not null,
      description text not null,
      first_seen_ms integer not null,
      changed_ms integer,
      primary key (server, tool)
    ) strict`,
    `create table mcp_calls (
      id text primary key,
      at_ms integer not null,
      principal text not null,
      server text not null,
      tool text not null,
      action text not null,
      rule text not null,
      outcome text not null,
      duration_ms integer not null,
      request_bytes integer not null,
      response_bytes integer not null
    ) strict`,
    `create index mcp_calls_at on mcp_calls (at_ms)`,
  ],
}
