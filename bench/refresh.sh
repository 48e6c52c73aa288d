#!/bin/sh
# One writer per grant, in full: 8 processes (Bun, Node and Deno in turn) × 64 callers, 200 rounds, for a login of gw's
# own and for a Codex file that two homes share; then kill -9 at 20 moments of a refresh, and at every step after its
# answer was read.
set -eu
cd "$(dirname "$0")/.."
GW_REFRESH_ROUNDS=200 GW_REFRESH_PROCESSES=8 GW_REFRESH_CALLERS=64 GW_REFRESH_POINTS=20 \
  bun test test/lib/credentials/one-writer.test.ts
