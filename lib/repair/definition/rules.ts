import { probeBudget } from './budget.ts'
import type { FailureRule, Probe, ProviderDefinition } from './schema.ts'
import { templateProblem } from './template.ts'
import { tokenMaterial } from './token-material.ts'

/** One thing wrong with a configuration, and where. */
export interface Problem {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** Makes problems below one place. */
type Report = (path: readonly (string | number)[], message: string) => void

/** An HTTP field name. @see RFC 9110 §5.6.2 */
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const injectable = ['access_token', 'refresh_token']
const methods = ['GET', 'POST', 'HEAD']

/**
 * What is wrong with a provider definition beyond its shape: every rule that a definition can break, each found once.
 *
 * Empty when it may be used.
 */
export function checkDefinition(definition: ProviderDefinition): Problem[] {
  const problems: Problem[] = []
  const report: Report = (path, message) => void problems.push({ path, message })
  const { credential, injection, runtime, repair } = definition
  if (definition.name === '') report(['name'], 'must not be empty')
  if (credential.access_token_path === '') report(['credential', 'access_token_path'], 'must not be empty')
  if (credential.refresh_token_path === '') report(['credential', 'refresh_token_path'], 'must not be empty')
  checkFilename(injection.credential_filename, report)
  injection.direct_env.forEach(([variable, field], i) => {
    if (variable === '') report(['injection', 'direct_env', i, 0], 'must name a variable')
    if (!injectable.includes(field)) {
      report(['injection', 'direct_env', i, 1], 'must be access_token or refresh_token')
    }
  })
  for (const list of ['required_binaries', 'env_vars', 'writable_paths', 'session_paths'] as const) {
    runtime[list].forEach((item, i) => item === '' && report(['runtime', list, i], 'must not be empty'))
  }
  for (const list of ['login_command', 'login_shortcut', 'login_status_command'] as const) {
    const argv = repair[list]
    if (argv) checkCommand(argv, (path, message) => report(['repair', list, ...path], message))
  }
  checkCapabilities(definition, report)
  definition.failure_rules.forEach((rule, i) =>
    checkRule(rule, (path, message) => report(['failure_rules', i, ...path], message))
  )
  const probed = definition.capabilities.some((capability) => capability.probe)
  if (probed && definition.failure_rules.length === 0) {
    report(['failure_rules'], 'must not be empty: a capability has a probe, and nothing says what its failures mean')
  }
  return problems
}

/** The file is rendered into a private directory: a name that leaves it would put a credential elsewhere. */
function checkFilename(name: string, report: Report): void {
  const path = ['injection', 'credential_filename']
  if (name === '') report(path, 'must not be empty')
  else if (/[/\\\0]/.test(name) || name === '.' || name === '..') report(path, 'must be a file name, not a path')
}

function checkCapabilities({ capabilities }: ProviderDefinition, report: Report): void {
  const names = new Set<string>()
  capabilities.forEach((capability, i) => {
    if (!/^[^\s#]+$/.test(capability.name)) {
      report(['capabilities', i, 'name'], 'must not be empty, nor hold white space or #')
    }
    for (const name of [capability.name, ...capability.aliases]) {
      if (names.has(name)) report(['capabilities', i, 'name'], `the name ${name} is used twice`)
      names.add(name)
    }
    if (capability.probe) {
      checkProbe(capability.probe, (path, message) => report(['capabilities', i, 'probe', ...path], message))
    }
  })
}

/** What is wrong with one probe. */
function checkProbe(probe: Probe, report: Report): void {
  if (probe.timeout_ms <= 0) report(['timeout_ms'], 'must be greater than 0')
  if (probe.success_status_min > probe.success_status_max) {
    report(['success_status_min'], 'must not be greater than success_status_max')
  }
  const budget = probeBudget(probe)
  if (budget === 'interactive' || budget === 'mutating') {
    report(['budget'], `a probe may not be ${budget}: it only asks`)
  }
  if (probe.transport === 'command') checkCommand(probe.command ?? [], report, ['command'])
  else checkHttp(probe, report)
}

function checkHttp(probe: Probe, report: Report): void {
  if (!methods.includes(probe.method)) report(['method'], `must be one of ${methods.join(', ')}`)
  if (probe.url === '') report(['url'], 'must not be empty')
  checkText(probe.url, ['url'], report)
  if (probe.body !== undefined) {
    if (probe.method !== 'POST') report(['body'], 'is sent with POST only')
    if (probe.body === '') report(['body'], 'must not be empty')
    checkText(probe.body, ['body'], report, false)
  }
  if (probe.auth === 'token_header') {
    if (!probe.auth_header || !headerName.test(probe.auth_header)) {
      report(['auth_header'], 'must be a header name: the credential is sent in it')
    } else if (probe.auth_header.toLowerCase() === 'authorization') {
      report(['auth_header'], 'must not be Authorization: use bearer or authorization_header')
    }
  }
}

function checkCommand(argv: readonly string[], report: Report, at: readonly string[] = []): void {
  if (argv.length === 0 || argv[0] === '') report(at, 'must name a program')
  argv.forEach((word, i) => {
    const mark = tokenMaterial(word)
    if (mark) report([...at, i], `holds token material (${mark.trim()})`)
  })
  // `bearer x` may be spread over two words.
  if (argv.length > 1 && !argv.some((word) => tokenMaterial(word))) {
    const mark = tokenMaterial(argv.join(' '))
    if (mark) report(at, `holds token material (${mark.trim()})`)
  }
}

function checkText(text: string, at: readonly string[], report: Report, template = true): void {
  const mark = tokenMaterial(text)
  if (mark) report(at, `holds token material (${mark.trim()})`)
  const problem = template && !mark ? templateProblem(text) : null
  if (problem) report(at, problem)
}

/** What is wrong with one failure rule. */
function checkRule(rule: FailureRule, report: Report): void {
  const { class: _, ...matchers } = rule
  if (Object.keys(matchers).length === 0) report([], 'matches everything: at least one matcher is needed')
  if (rule.hint_equals === '') report(['hint_equals'], 'must not be empty')
  if (rule.hint_contains === '') report(['hint_contains'], 'must not be empty')
  if (rule.status_min !== undefined && rule.status_max !== undefined && rule.status_min > rule.status_max) {
    report(['status_min'], 'must not be greater than status_max')
  }
  if (
    rule.retry_after_gte !== undefined && rule.retry_after_lt !== undefined &&
    rule.retry_after_gte >= rule.retry_after_lt
  ) report(['retry_after_gte'], 'must be less than retry_after_lt')
}
