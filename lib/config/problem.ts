import { GwError } from '../base/mod.ts'

/** One thing wrong with the configuration, and where it is written. */
export interface ConfigProblem {
  /** A path, `environment` or `command line`. */
  readonly where: string
  /** Line in that file, from 1; `null` when there is none. */
  readonly line: number | null
  /** Key as in the file (`server.port`); empty when the file itself is wrong. */
  readonly key: string
  readonly reason: string
}

/** `config.toml:12: server.port: expected number, received string` */
function formatProblem({ where, line, key, reason }: ConfigProblem): string {
  return `${where}${line === null ? '' : `:${line}`}: ${key === '' ? '' : `${key}: `}${reason}`
}

/** All problems as one error. Its message has one line per problem. */
export function configError(problems: readonly ConfigProblem[]): GwError {
  const count = problems.length === 1 ? 'the configuration has a problem' : `${problems.length} problems`
  const head = problems.length === 1 ? count : `the configuration has ${count}`
  return new GwError('config.invalid', `${head}\n${problems.map((item) => `  ${formatProblem(item)}`).join('\n')}`, {
    hint: 'nothing was changed; mend what is named, then `gw config validate`',
    details: { problems },
  })
}
