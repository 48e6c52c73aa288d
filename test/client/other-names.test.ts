import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cli } from './support.ts'

// Every command of oauth-mux, as scripts have it: it does its work here, or says what does.

let home: string
beforeAll(async () => void (home = await mkdtemp(join(tmpdir(), 'gw-mux-'))))
afterAll(() => rm(home, { recursive: true, force: true }))
const run = (line: string) =>
  cli(line.split(' '), {
    env: { GW_HOME: join(home, 'none'), HOME: home, PATH: process.env.PATH!, XDG_DATA_HOME: join(home, 'data') },
    cwd: home,
  })

/** The line without its program, how it ends on an empty machine, and what its answer holds. */
const commands: readonly (readonly [line: string, code: number, says: string])[] = [
  ['doctor --json', 0, '"config_valid": true'],
  ['doctor runtime --json', 0, '"ready_accounts": 0'],
  ['report --redacted --json', 0, '"command_availability"'],
  ['providers list --json', 0, '"support_status"'],
  ['accounts list --json', 0, '"agent_safe_commands"'],
  ['accounts list --provider codex --json', 200, 'scope.invalid'],
  ['enroll plan codex --account a --json', 0, '"steps"'],
  ['enroll codex --account a --json', 0, '"confirmation_required": true'],
  ['status --json', 0, '"accounts"'],
  ['health --json', 0, '"accounts": []'],
  ['discover --json', 0, '"agent_safe_commands"'],
  ['route explain --json', 0, '"explain"'],
  ['route select --json', 201, '"select"'],
  ['repair-plan --json', 0, '"repair-plan"'],
  ['daemon status --json', 0, '"not_running"'],
  ['daemon events --json', 0, '"events": []'],
  ['daemon handoffs --json', 0, '"handoffs": []'],
  ['daemon repair-plan --json', 0, '"repair-plan"'],
  ['daemon run -h', 0, '--stay-afloat'],
  ['daemon supervise -h', 0, 'Usage'],
  ['daemon start -h', 0, 'Usage'],
  ['daemon stop', 0, 'no gateway of this home runs'],
  ['codex live-qa --json', 1, 'confirmation_required'],
  ['codex canary --json', 200, 'scope.invalid'],
  ['codex login-status', 200, 'gw init'],
  ['codex bootstrap-dirs -h', 0, 'Usage'],
  ['setup codex -h', 0, 'Usage'],
  ['stay-afloat next --json', 0, '"ready_for_exec": false'],
  ['stay-afloat handoffs --all --limit 5 --json', 0, '"handoffs": []'],
  ['config path', 0, 'config.toml'],
  ['config validate', 0, 'config: valid\n'],
  ['config validate --json', 0, '"ok": true'],
  ['completions -h', 0, 'completion'],
  ['version', 0, '0.'],
]
/** Those that make a home of their own, after all that must not. */
const making: typeof commands = [
  ['stay-afloat handoff ack --json', 200, 'gw stay-afloat handoffs'],
  ['probe --provider codex --account a --json', 200, 'scope.invalid'],
  ['repair run --json', 0, 'no_admitted_repair'],
  ['stay-afloat refresh --json', 0, '"refreshed": []'],
  ['daemon refresh --json', 0, '"refreshed": []'],
  ['daemon tick --json', 0, '"execution_mode": "plan"'],
  ['stay-afloat --loop --iterations 2 --interval-ms 0 --json', 0, '"iterations_requested": 2'],
  ['env', 201, 'gw route explain'],
  ['exec -- true', 201, 'gw route explain'],
]

test('each works under gw oauth-mux', async () => {
  for (const [line, code, says] of commands) {
    const { stdout, stderr, ...ended } = await run(`oauth-mux ${line}`)
    expect([line, ended.code, (stdout + stderr).includes(says) || stdout + stderr]).toEqual([line, code, true])
  }
  expect(await readdir(home)).toEqual([])
  for (const [line, code, says] of making) {
    const { stdout, stderr, ...ended } = await run(`oauth-mux ${line}`)
    expect([line, ended.code, (stdout + stderr).includes(says) || stdout + stderr]).toEqual([line, code, true])
  }
}, 120_000)

test('words that mean nothing else here need no prefix', async () => {
  for (const line of ['repair-plan --json', 'daemon events --json', 'daemon stop', 'setup codex -h']) {
    const [bare, named] = [await run(line), await run(`oauth-mux ${line}`)]
    expect([line, bare.code, bare.stdout, bare.stderr]).toEqual([line, named.code, named.stdout, named.stderr])
  }
})
