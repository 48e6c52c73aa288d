import type { Check, Diagnosis } from '../../lib/doctor.ts'
import { green, printJson, red, yellow } from './output.ts'
import { printable } from './words.ts'
import type { AddCommands } from './program.ts'

/** `gw doctor`: looks at this home, even where it does not open. */
export const doctor: AddCommands = (program, { io, options, withSession, exitWith }) => {
  program.command('doctor')
    .description('Look for what is wrong with this home and say what to do')
    .option('--strict', 'exit 1 when something is wrong')
    .action(async ({ strict }: { strict?: boolean }) => {
      const diagnosis = await withSession((session) =>
        session.remote
          ? session.call({ name: 'system.doctor', kind: 'query' }, {}) as Promise<Diagnosis>
          : examineHere()
      )
      if (options().json) printJson(io, diagnosis)
      else for (const check of diagnosis.checks) printCheck(check)
      if (strict && !diagnosis.ok) exitWith(1)
    })

  async function examineHere(): Promise<Diagnosis> {
    const [{ examine }, { detectPlatform }, { systemClock }, { systemKeychain }] = await Promise.all([
      import('../../lib/doctor.ts'),
      import('../../lib/platform/mod.ts'),
      import('../../lib/base/mod.ts'),
      import('../../lib/secrets/mod.ts'),
    ])
    const { config, flags } = options()
    return examine({
      from: { env: io.env, cwd: io.cwd, flags, ...(config === undefined ? {} : { file: config }) },
      platform: await detectPlatform(),
      clock: systemClock,
      keychain: systemKeychain(),
    })
  }

  function printCheck({ name, status, found, fix }: Check): void {
    const paint = { ok: green, warn: yellow, fail: red }[status]
    const [first, ...more] = found.split('\n')
    io.out(`${paint(io, status.padEnd(4))}  ${name}: ${printable(first!)}\n`)
    for (const line of more) io.out(`      ${printable(line)}\n`)
    if (fix !== null) io.out(`      → ${printable(fix)}\n`)
  }
}
