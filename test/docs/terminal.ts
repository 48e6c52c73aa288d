import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A person's terminal: what one block exports, the next one sees. */
export interface Terminal extends AsyncDisposable {
  /** Runs a block; rejects with all that was printed when it fails or takes longer than `ms`. */
  run(commands: string, ms: number): Promise<string>
  /** Starts a block that does not end by itself; resolves with what it printed until `mark` came. */
  begin(commands: string, mark: RegExp, ms: number): Promise<string>
}

/**
 * Opens a terminal in `cwd` with a home of its own. `npx -y bun@VERSION` is this Bun: fetching it again for each block
 * would test the registry. The other programs of the repository's own dependencies are fetched by nobody either.
 */
export async function openTerminal(
  { cwd, home, env, programs = [] }: {
    cwd: string
    home: string
    env: Readonly<Record<string, string>>
    /** Folders of programs that not every machine has. */
    programs?: readonly string[]
  },
): Promise<Terminal> {
  const tools = join(home, 'tools')
  const state = join(home, 'exported.sh')
  await mkdir(tools, { recursive: true })
  await writeFile(state, '')
  await script(join(tools, 'bun'), `exec "${process.execPath}" "$@"`)
  await script(
    join(tools, 'npx'),
    `shift
case "$1" in
  bun@*) shift; exec bun "$@" ;;
  *) name="\${1##*/}"; shift; exec "${join(cwd, 'node_modules/.bin')}/mcp-$name" "$@" ;;
esac`,
  )
  const running: Bun.Subprocess[] = []
  const base = {
    HOME: home,
    TMPDIR: process.env.TMPDIR ?? '/tmp',
    PATH: [tools, ...programs, '/usr/local/bin', '/usr/bin', '/bin'].join(':'),
    ...env,
  }

  function spawn(commands: string) {
    const whole = `set -euo pipefail\n. "${state}"\ntrap 'export -p > "${state}"' EXIT\n${commands}\n`
    const child = Bun.spawn(['bash', '-c', whole], { cwd, env: base, stdout: 'pipe', stderr: 'pipe', stdin: 'ignore' })
    running.push(child)
    return child
  }

  return {
    async run(commands, ms) {
      const child = spawn(commands)
      const late = setTimeout(() => child.kill(), ms)
      const [out, err, code] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.exited,
      ]).finally(() => clearTimeout(late))
      if (code !== 0) throw new Error(`exit ${code} of\n${commands}\n--- out\n${out}\n--- err\n${err}`)
      return out + err
    },
    async begin(commands, mark, ms) {
      const child = spawn(commands)
      const late = setTimeout(() => child.kill(), ms)
      const reader = child.stdout.getReader()
      const utf8 = new TextDecoder()
      let text = ''
      while (!mark.test(text)) {
        const { done, value } = await reader.read()
        if (done) throw new Error(`ended before it said ${mark}:\n${text}\n${await new Response(child.stderr).text()}`)
        text += utf8.decode(value, { stream: true })
      }
      clearTimeout(late)
      return text
    },
    async [Symbol.asyncDispose]() {
      for (const child of running.filter(({ exitCode }) => exitCode === null)) {
        for (const pid of await childrenOf(child.pid)) process.kill(pid, 'SIGTERM')
        child.kill()
        await child.exited
      }
    },
  }
}

async function script(path: string, body: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${body}\n`)
  await chmod(path, 0o755)
}

/** The processes that a process started, the ones these started included. */
async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const direct = text.trim().split(/\s+/).filter(Boolean).map(Number)
  return (await Promise.all(direct.map(childrenOf))).flat().concat(direct)
}
