import { createHash } from 'node:crypto'
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import type { DocumentShape } from '../grants/document-file.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** A program on this machine that keeps a login of its own. A row of data. */
export interface ForeignTool {
  readonly id: string
  readonly name: string
  readonly vendor: string
  /** Where its login may be, best first. */
  paths(env: Environment): readonly string[]
  /** Its keychain item, on systems where it uses one. */
  keychain(env: Environment): { readonly service: string; readonly account: string } | null
  readonly shape: DocumentShape
  /** Whether gw may refresh it; otherwise the tool does, and gw reads what it wrote. */
  readonly refresh: boolean
  readonly docs: string
}

const home = (env: Environment): string => env.HOME || homedir()
const user = (env: Environment): string => env.USER || env.LOGNAME || userInfo().username
const codexHome = (env: Environment): string => env.CODEX_HOME || join(home(env), '.codex')
const claudeHome = (env: Environment): string => env.CLAUDE_CONFIG_DIR || join(home(env), '.claude')
const config = (env: Environment): string => env.XDG_CONFIG_HOME || join(home(env), '.config')
const given = (...paths: (string | undefined)[]): string[] =>
  paths.filter((path) => path !== undefined && path !== '') as string[]

/** The names that OAuth's own answers use, at the top of the file. */
const flatShape: DocumentShape = {
  at: [],
  access: 'access_token',
  refresh: 'refresh_token',
  id: null,
  expiry: { name: 'expiry_date', unit: 'ms' },
  refreshed: null,
}

/** Every program whose login gw can share. */
export const foreignTools: readonly ForeignTool[] = [
  {
    id: 'claude-code',
    name: 'Claude Code',
    vendor: 'claude',
    paths: (env) =>
      given(
        env.CLAUDE_CREDENTIALS_PATH,
        join(claudeHome(env), '.credentials.json'),
        join(claudeHome(env), 'credentials.json'),
        join(config(env), 'claude', '.credentials.json'),
      ),
    // With another config folder its item carries a suffix of that folder's hash.
    keychain: (env) => ({
      service: env.CLAUDE_CONFIG_DIR
        ? `Claude Code-credentials-${createHash('sha256').update(env.CLAUDE_CONFIG_DIR).digest('hex').slice(0, 8)}`
        : 'Claude Code-credentials',
      account: user(env),
    }),
    shape: {
      at: ['claudeAiOauth'],
      access: 'accessToken',
      refresh: 'refreshToken',
      id: null,
      expiry: { name: 'expiresAt', unit: 'ms' },
      refreshed: null,
    },
    refresh: true,
    docs: 'https://code.claude.com/docs/en/iam',
  },
  {
    id: 'codex',
    name: 'Codex',
    vendor: 'chatgpt',
    paths: (env) => [join(codexHome(env), 'auth.json')],
    keychain: (env) => ({
      service: 'Codex Auth',
      account: `cli|${createHash('sha256').update(codexHome(env)).digest('hex').slice(0, 16)}`,
    }),
    shape: {
      at: ['tokens'],
      access: 'access_token',
      refresh: 'refresh_token',
      id: 'id_token',
      expiry: null,
      refreshed: 'last_refresh',
    },
    refresh: true,
    docs: 'https://developers.openai.com/codex/auth',
  },
  {
    id: 'gemini-cli',
    name: 'Gemini CLI',
    vendor: 'gemini',
    paths: (env) => [join(home(env), '.gemini', 'oauth_creds.json')],
    keychain: () => null,
    shape: { ...flatShape, id: 'id_token' },
    refresh: true,
    docs: 'https://github.com/google-gemini/gemini-cli',
  },
  {
    id: 'qwen-code',
    name: 'Qwen Code',
    vendor: 'qwen',
    paths: (env) => [join(home(env), '.qwen', 'oauth_creds.json')],
    keychain: () => null,
    shape: flatShape,
    refresh: true,
    docs: 'https://github.com/QwenLM/qwen-code',
  },
  {
    id: 'minimax',
    name: 'MiniMax',
    vendor: 'minimax',
    paths: (env) => [join(home(env), '.minimax', 'oauth_creds.json')],
    keychain: () => null,
    shape: flatShape,
    refresh: false,
    docs: 'https://platform.minimax.io/docs',
  },
  {
    id: 'copilot',
    name: 'GitHub Copilot',
    vendor: 'copilot',
    paths: (env) => [
      join(config(env), 'github-copilot', 'apps.json'),
      join(config(env), 'github-copilot', 'hosts.json'),
    ],
    keychain: () => null,
    shape: { at: [], access: 'oauth_token', refresh: 'refresh_token', id: null, expiry: null, refreshed: null },
    refresh: false,
    docs: 'https://docs.github.com/en/copilot',
  },
]
