#!/usr/bin/env node
// The launcher behind `gw`: package managers start it with Node. Bun is what gw runs best on, so it is used when it is
// there; Node 22.18 and newer runs the same program.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const built = fileURLToPath(new URL('../../dist/client/cli/main.js', import.meta.url))
const main = existsSync(built) ? built : fileURLToPath(new URL('./main.ts', import.meta.url))

if (globalThis.Bun || globalThis.Deno) await import(main)
else {
  const bun = process.env.GW_RUNTIME === 'node' ? null : findBun()
  if (bun) run(bun)
  else {
    const [major, minor] = process.versions.node.split('.').map(Number)
    if (major > 22 || (major === 22 && minor >= 18)) await import(main)
    else {
      process.stderr.write(
        `gw: Node ${process.versions.node} is too old\n  install Bun 1.4 (https://bun.sh) or Node 22.18 or newer\n`,
      )
      process.exitCode = 1
    }
  }
}

function findBun() {
  const names = process.platform === 'win32' ? ['bun.exe'] : ['bun']
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of names) if (folder !== '' && existsSync(join(folder, name))) return join(folder, name)
  }
  return null
}

function run(program) {
  const child = spawn(program, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`gw: ${program} could not be started: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : signal === 'SIGTERM' ? 143 : 1)
  })
}
