// Installs the packages of the Python scenario: `bun test/sdk/python/install.ts FOLDER`, then run the tests with
// GW_PYTHON=FOLDER. The folder becomes a virtual environment and must not lie in the repository.
import { resolve } from 'node:path'

const folder = resolve(process.argv[2] ?? '')
if (!process.argv[2] || folder.startsWith(resolve(import.meta.dir, '../../..'))) {
  console.error('usage: bun test/sdk/python/install.ts FOLDER (outside the repository)')
  process.exit(2)
}

function run(...argv: string[]): void {
  const { exitCode } = Bun.spawnSync(argv, { stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' })
  if (exitCode !== 0) process.exit(exitCode)
}

run('python3', '-m', 'venv', folder)
run(`${folder}/bin/pip`, 'install', '--quiet', 'openai==3.54.0', 'anthropic==2.12.0')
console.log(`export GW_PYTHON=${folder}`)
