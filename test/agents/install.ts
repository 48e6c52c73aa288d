// Installs the agents of these tests: `bun test/agents/install.ts FOLDER` (about 1 GB), then run the tests with
// GW_AGENTS=FOLDER. The folder must not lie in the repository.
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { packages } from './agents.ts'

const folder = resolve(process.argv[2] ?? '')
if (!process.argv[2] || folder.startsWith(resolve(import.meta.dir, '../..'))) {
  console.error('usage: bun test/agents/install.ts FOLDER (outside the repository)')
  process.exit(2)
}
mkdirSync(folder, { recursive: true })

function run(...argv: string[]): void {
  const { exitCode } = Bun.spawnSync(argv, { stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' })
  if (exitCode !== 0) process.exit(exitCode)
}

run('npm', 'install', '--prefix', folder, '--no-audit', '--no-fund', ...packages)
// npm does not run its install script, which puts the program where the launcher looks for it.
run('node', `${folder}/node_modules/@anthropic-ai/claude-code/install.cjs`)
console.log(`export GW_AGENTS=${folder}`)
