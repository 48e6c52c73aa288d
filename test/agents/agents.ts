import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The versions that the recipes were written for. */
export const packages = ['@openai/codex@0.169.0', '@anthropic-ai/claude-code@2.1.330', 'opencode-ai@1.18.33'] as const

/** What an agent is pointed at. */
export interface Door {
  /** `http://127.0.0.1:<port>`, without `/v1`. */
  readonly url: string
  readonly token: string
  readonly model: string
  /** A tool server to attach, through the same gateway and with the same token; `null` for none. */
  readonly toolServer: string | null
  /** The command to ask for the token with, in place of the token itself; `null` for none. */
  readonly tokenCommand: readonly string[] | null
}

/** A command in an environment of its own. */
export interface Invocation {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** A coding agent as its maker ships it. */
export interface Agent {
  readonly name: string
  /** The protocol it speaks in this configuration. */
  readonly protocol: 'openai-chat' | 'openai-responses' | 'anthropic-messages'
  readonly program: string
  /** How it names a tool of the attached server to its model. */
  readonly toolName: (tool: string) => string
  /** Writes its configuration into `home` and says how to run `prompt`. */
  prepare(home: string, door: Door, prompt: string): Invocation
}

/** Every agent and protocol there is, programs looked for in the folder of `GW_AGENTS`. */
export function agents(folder: string): readonly Agent[] {
  const bin = (name: string): string => join(folder, 'node_modules/.bin', name)
  return [codex(bin('codex')), claude(bin('claude')), ...opencodes(bin('opencode'))]
}

function codex(program: string): Agent {
  return {
    name: 'Codex',
    protocol: 'openai-responses',
    program,
    toolName: (tool) => tool,
    prepare(home, door, prompt) {
      const folder = join(home, 'codex')
      mkdirSync(folder, { recursive: true })
      writeFileSync(
        join(folder, 'config.toml'),
        `model = "${door.model}"
model_provider = "gw"
[model_providers.gw]
name = "gw"
base_url = "${door.url}/v1"
wire_api = "responses"
${door.tokenCommand === null ? 'env_key = "GW_TOKEN"' : ''}
request_max_retries = 1
stream_max_retries = 1
${
          door.toolServer === null
            ? ''
            : `[mcp_servers.gw]\nurl = "${door.toolServer}"\nhttp_headers = { authorization = "Bearer ${door.token}" }\n`
        }${door.tokenCommand === null ? '' : tokenHelper(door.tokenCommand)}`,
      )
      return {
        argv: [program, 'exec', '--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox', prompt],
        env: { CODEX_HOME: folder, ...(door.tokenCommand === null ? { GW_TOKEN: door.token } : {}) },
      }
    },
  }
}

function claude(program: string): Agent {
  return {
    name: 'Claude Code',
    protocol: 'anthropic-messages',
    program,
    toolName: (tool) => `mcp__gw__${tool}`,
    prepare: (home, door, prompt) => ({
      argv: [
        program,
        '-p',
        prompt,
        '--output-format',
        'json',
        '--model',
        door.model,
        '--dangerously-skip-permissions',
        ...(door.toolServer === null ? [] : ['--strict-mcp-config', '--mcp-config', claudeServers(door)]),
      ],
      env: {
        CLAUDE_CONFIG_DIR: claudeFolder(home, door),
        ANTHROPIC_BASE_URL: door.url,
        ...(door.tokenCommand === null ? { ANTHROPIC_AUTH_TOKEN: door.token } : {}),
        ANTHROPIC_DEFAULT_HAIKU_MODEL: door.model,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
        // So that the tool stands in the first request.
        ENABLE_TOOL_SEARCH: 'false',
        // It refuses to skip permissions as root, unless told that it is boxed in: here it is, by a network namespace.
        IS_SANDBOX: '1',
      },
    }),
  }
}

/** Codex runs a program and its arguments. */
function tokenHelper([command, ...args]: readonly string[]): string {
  return `[model_providers.gw.auth]\ncommand = ${JSON.stringify(command)}\nargs = ${JSON.stringify(args)}\n`
}

/** Claude Code runs a line of shell. */
function claudeFolder(home: string, { tokenCommand }: Door): string {
  const folder = join(home, 'claude')
  mkdirSync(folder, { recursive: true })
  if (tokenCommand !== null) {
    writeFileSync(join(folder, 'settings.json'), JSON.stringify({ apiKeyHelper: tokenCommand.join(' ') }))
  }
  return folder
}

function claudeServers({ toolServer, token }: Door): string {
  const server = { type: 'http', url: toolServer, headers: { Authorization: `Bearer ${token}` } }
  return JSON.stringify({ mcpServers: { gw: server } })
}

function opencodes(program: string): Agent[] {
  const kinds = [
    ['openai-chat', '@ai-sdk/openai-compatible'],
    ['openai-responses', '@ai-sdk/openai'],
    ['anthropic-messages', '@ai-sdk/anthropic'],
  ] as const
  return kinds.map(([protocol, npm]) => ({
    name: 'OpenCode',
    protocol,
    program,
    toolName: (tool) => `gw_${tool}`,
    prepare(home, door, prompt) {
      const xdg = (name: string): string => join(home, 'xdg', name)
      mkdirSync(join(xdg('config'), 'opencode'), { recursive: true })
      const model = `gw/${door.model}`
      writeFileSync(
        join(xdg('config'), 'opencode/opencode.json'),
        JSON.stringify({
          model,
          small_model: model,
          enabled_providers: ['gw'],
          autoupdate: false,
          share: 'disabled',
          ...(door.toolServer === null ? {} : {
            mcp: {
              gw: {
                type: 'remote',
                url: door.toolServer,
                headers: { Authorization: `Bearer ${door.token}` },
                oauth: false,
              },
            },
          }),
          permission: { edit: 'allow', bash: 'allow', webfetch: 'allow' },
          provider: {
            gw: {
              npm,
              options: { baseURL: `${door.url}/v1`, apiKey: door.token },
              models: { [door.model]: { name: door.model, limit: { context: 200_000, output: 8000 } } },
            },
          },
        }),
      )
      return {
        argv: [program, 'run', prompt],
        env: {
          XDG_CONFIG_HOME: xdg('config'),
          XDG_DATA_HOME: xdg('data'),
          XDG_STATE_HOME: xdg('state'),
          XDG_CACHE_HOME: xdg('cache'),
          OPENCODE_DISABLE_MODELS_FETCH: '1',
        },
      }
    },
  }))
}

/** Why an agent cannot be run here, or `undefined`. */
export function missing(agent: Agent): string | undefined {
  return existsSync(agent.program)
    ? undefined
    : `${agent.program} is not there: bun test/agents/install.ts FOLDER, then GW_AGENTS=FOLDER`
}
