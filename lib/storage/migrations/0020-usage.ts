import type { Migration } from './mod.ts'

const sums = `requests integer not null,
      errors integer not null,
      input_tokens integer not null,
      output_tokens integer not null,
      cached_tokens integer not null,
      cache_write_tokens integer not null,
      reasoning_tokens integer not null,
      cost_micros integer not null,
      shadow_micros integer not null,
      unpriced integer not null,
      estimated integer not null,
      duration_ms integer not null,
      first_byte_ms integer not null,
      first_bytes integer not null,
      request_bytes integer not null,
      response_bytes integer not null`

export const usage0020: Migration = {
  name: '0020-usage',
  up: [
    // Clustered by time: new rows go to the end, old ones leave from the front, the latest are read in one run.
    `create table requests (
      at_ms integer not null,
      id text not null,
      principal text not null,
      surface text not null,
      client_protocol text,
      requested_model text,
      model text,
      provider text,
      account text,
      stream integer not null,
      input_tokens integer,
      output_tokens integer,
      cached_tokens integer,
      cache_write_tokens integer,
      cache_write_1h_tokens integer,
      reasoning_tokens integer,
      estimated integer not null,
      cost_micros integer,
      shadow_micros integer,
      price_source text,
      price text,
      status integer not null,
      outcome text not null,
      error text,
      first_byte_ms integer,
      duration_ms integer not null,
      request_bytes integer not null,
      response_bytes integer not null,
      session text,
      client text,
      attempts text not null,
      losses text not null,
      primary key (at_ms, id)
    ) strict, without rowid`,
    `create unique index requests_by_id on requests (id)`,
    `create index requests_by_principal on requests (principal, at_ms)`,
    `create table usage_prices (
      id text primary key,
      price_json text not null,
      first_ms integer not null
    ) strict, without rowid`,
    `create table usage_hours (
      dimension text not null,
      hour_ms integer not null,
      key text not null,
      ${sums},
      primary key (dimension, hour_ms, key)
    ) strict, without rowid`,
    `create table usage_by_principal (
      principal text not null,
      hour_ms integer not null,
      provider text not null,
      account text not null,
      model text not null,
      surface text not null,
      ${sums},
      primary key (principal, hour_ms, provider, account, model, surface)
    ) strict, without rowid`,
    `create index usage_by_principal_by_hour on usage_by_principal (hour_ms)`,
    `create table request_bodies (
      request text not null,
      part text not null,
      content text not null,
      whole_bytes integer not null,
      expires_ms integer not null,
      primary key (request, part)
    ) strict, without rowid`,
    `create index request_bodies_by_expiry on request_bodies (expires_ms)`,
    `create table request_audio (
      request text primary key,
      file text not null,
      media_type text not null,
      bytes integer not null,
      at_ms integer not null,
      expires_ms integer not null
    ) strict, without rowid`,
  ],
}
