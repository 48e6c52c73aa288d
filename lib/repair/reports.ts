import { summarize } from '../liveness/mod.ts'
import { knownFacts, planNow, type RepairContext } from './context.ts'
import type { RouteAction } from './action.ts'
import { type Writeback, writebackFor } from './admission.ts'
import { probeBudget } from './definition/budget.ts'
import type { ProviderDefinition } from './definition/schema.ts'
import { builtinDefinitions } from './definition/builtin.ts'
import { decisionFor, type LastProbeReport, lastProbeReport, type LivenessReport, livenessReport } from './describe.ts'
import { codexSetup, type ConfigFacts } from './doctor.ts'
import { accountKey, type RouteAccount, routeKey } from './inventory/inventory.ts'
import { describeLocation } from './inventory/secret.ts'
import { createRuntimeCheck, type RuntimeState } from './runtime.ts'
import { boardView } from './standing.ts'

/** How well a provider is supported. */
export type SupportStatus = 'live_proven' | 'built_in' | 'schema_modeled' | 'needs_operator_proof'

const proven = ['live_proven', 'local_live_proven', 'public_live_proven']

function proofOf(definition: ProviderDefinition): string {
  return definition.capabilities.find(({ proof_status }) => proven.includes(proof_status))?.proof_status ??
    'needs_operator_proof'
}

function supportOf(definition: ProviderDefinition, builtIn: boolean): SupportStatus {
  if (definition.capabilities.some(({ proof_status }) => proven.includes(proof_status))) return 'live_proven'
  if (builtIn) return 'built_in'
  return definition.capabilities.length > 0 ? 'schema_modeled' : 'needs_operator_proof'
}

/** One row of the provider list. */
export interface ProviderRow {
  readonly definition_key: string
  readonly name: string
  readonly display_name: string
  readonly support_status: SupportStatus
  readonly proof_status: string
  readonly extension_mode: string
  readonly repair_owner: string
  readonly built_in: boolean
  readonly configured: boolean
  readonly configured_accounts: number
  readonly capabilities: readonly string[]
  readonly probes: number
  readonly failure_rules: number
  readonly detection_binaries: readonly string[]
  readonly env_markers: readonly string[]
  readonly runtime: ProviderDefinition['runtime']
  readonly capability_budgets: Readonly<Record<string, string>>
  readonly command_availability: readonly { readonly command: string; readonly available: boolean }[]
}

/** Every built-in and configured provider. */
export async function listProviders(context: RepairContext): Promise<readonly ProviderRow[]> {
  const inventory = context.inventory()
  const { available } = createRuntimeCheck({ env: context.env, repairs: new Map(), writing: 'ask' })
  const builtin = builtinDefinitions()
  const rows = new Map<string, { key: string; kind: string; definition: ProviderDefinition }>()
  for (const [kind, definition] of builtin) rows.set(kind, { key: kind, kind, definition })
  for (const { name, kind } of inventory.providers) {
    rows.set(name, { key: name, kind, definition: inventory.lookup(name, kind).definition })
  }
  for (const account of inventory.accounts.filter(({ relay }) => relay)) {
    if (!rows.has(account.provider)) {
      rows.set(account.provider, { key: account.provider, kind: account.kind, definition: account.definition })
    }
  }
  return await Promise.all([...rows.values()].map(async ({ key, kind, definition }) => {
    const accounts = inventory.accounts.filter(({ provider }) => provider === key)
    const probes = definition.capabilities.filter(({ probe }) => probe)
    return {
      definition_key: kind,
      name: key,
      display_name: definition.display_name ?? definition.name,
      support_status: supportOf(definition, builtin.has(kind)),
      proof_status: proofOf(definition),
      extension_mode: definition.extension_mode,
      repair_owner: definition.repair.owner,
      built_in: builtin.has(kind),
      configured: inventory.providers.some(({ name }) => name === key) || accounts.length > 0,
      configured_accounts: accounts.length,
      capabilities: definition.capabilities.map(({ name }) => name),
      probes: probes.length,
      failure_rules: definition.failure_rules.length,
      detection_binaries: definition.detection.binary_names,
      env_markers: definition.detection.env_markers,
      runtime: definition.runtime,
      capability_budgets: Object.fromEntries(probes.map(({ name, probe }) => [name, probeBudget(probe!)])),
      command_availability: await availabilityOf(definition, available),
    }
  }))
}

async function availabilityOf(
  definition: ProviderDefinition,
  available: (binary: string) => Promise<boolean>,
): Promise<ProviderRow['command_availability']> {
  const programs = new Set([...definition.detection.binary_names, ...definition.runtime.required_binaries])
  return await Promise.all([...programs].map(async (command) => ({ command, available: await available(command) })))
}

/** One account of the list. */
export interface AccountRow {
  readonly provider: string
  readonly account: string
  readonly state: 'configured' | 'available' | 'has_evidence' | 'action_needed'
  readonly secret_backend: string | null
  readonly runtime: RuntimeState
  readonly writeback: Writeback
  readonly capabilities: readonly {
    readonly name: string
    readonly proof_status: string
    readonly runtime: RuntimeState
    readonly health_recorded: boolean
    readonly liveness: LivenessReport | null
    readonly selectable: boolean
    readonly action: RouteAction
  }[]
}

/** Commands that an agent may run without asking: they read, and spend nothing. */
export const safeCommands: readonly string[] = [
  'gw discover --json',
  'gw doctor runtime --json',
  'gw route explain --json',
  'gw repair plan --json',
  'gw status --json',
  'gw health --json',
  'gw report --redacted --json',
  'gw stay-afloat handoffs --json',
  'gw events --json',
]

/** Every account with the state of each of its capabilities. */
export async function listRouteAccounts(
  context: RepairContext,
  provider: string | undefined,
): Promise<{
  readonly configured: boolean
  readonly filter_provider: string | null
  readonly accounts: readonly AccountRow[]
  readonly agent_safe_commands: readonly string[]
}> {
  const inventory = context.inventory()
  const plan = await planNow(context, provider === undefined ? {} : { provider })
  const byAccount = Map.groupBy(plan.routes, ({ route }) => route.account)
  const accounts = [...byAccount].map(([account, routes]): AccountRow => {
    const recorded = routes.filter(({ evidence }) => evidence !== null)
    return {
      provider: account.provider,
      account: account.account,
      state: routes.some(({ report }) => report.selectable)
        ? 'available'
        : routes.some(({ report }) => report.action.severity === 'error')
        ? 'action_needed'
        : recorded.length > 0
        ? 'has_evidence'
        : 'configured',
      secret_backend: account.backend,
      runtime: routes[0]!.report.runtime,
      writeback: routes[0]!.report.writeback,
      capabilities: routes.map(({ report, evidence }) => ({
        name: report.capability ?? '',
        proof_status: account.definition.capabilities.find(({ name }) => name === report.capability)?.proof_status ??
          'needs_operator_proof',
        runtime: report.runtime,
        health_recorded: evidence !== null,
        liveness: report.liveness,
        selectable: report.selectable,
        action: report.action,
      })),
    }
  })
  return {
    configured: inventory.accounts.length > 0,
    filter_provider: provider ?? null,
    accounts,
    agent_safe_commands: safeCommands,
  }
}

/** One key of the health report. */
export interface HealthRow {
  readonly key: string
  readonly provider: string
  readonly account: string
  readonly capability: string | null
  readonly score: number
  readonly successes: number
  readonly failures: number
  readonly rate_limits: number
  readonly circuit: 'closed' | 'open' | 'half_open'
  readonly last_http_status: number | null
  readonly liveness: LivenessReport
  readonly last_probe: LastProbeReport | null
}

/** What is recorded, key by key; with `provider`, of exactly that one. */
export function health(context: RepairContext, provider?: string): { readonly accounts: readonly HealthRow[] } {
  const now = context.clock.now()
  const view = boardView(context.board, now)
  const accounts = context.board.all().flatMap(({ key }): HealthRow[] => {
    const evidence = view(key)
    const colon = key.indexOf(':')
    const hash = key.indexOf('#')
    const owner = key.slice(0, colon)
    if (!evidence || (provider !== undefined && owner !== provider)) return []
    return [{
      key,
      provider: owner,
      account: key.slice(colon + 1, hash < 0 ? undefined : hash),
      capability: hash < 0 ? null : key.slice(hash + 1),
      score: evidence.score,
      successes: evidence.successes,
      failures: evidence.failures,
      rate_limits: evidence.rateLimits,
      circuit: evidence.circuit,
      last_http_status: evidence.lastHttpStatus,
      liveness: livenessReport(evidence, now),
      last_probe: lastProbeReport(evidence),
    }]
  })
  return { accounts }
}

/** What a person wants to know first. */
export async function status(context: RepairContext, config: ConfigFacts) {
  const now = context.clock.now()
  const view = boardView(context.board, now)
  const inventory = context.inventory()
  const [handoffs, plan, tick] = await Promise.all([
    context.handoffs.list({ limit: 100 }),
    planNow(context, {}),
    context.storage.db.selectFrom('facts').select(['value', 'updated_ms']).where('key', '=', 'repair.last_tick')
      .executeTakeFirst(),
  ])
  return {
    version: context.version,
    configured: config.configured || inventory.accounts.length > 0,
    config_path: config.path,
    error: config.error,
    accounts: inventory.accounts.map((account) => {
      const routes = plan.routes.filter(({ route }) => route.account === account)
      const own = view(accountKey(account))
      return {
        provider: account.provider,
        account: account.account,
        summary: own
          ? summarize(own.liveness, now)
          : routes.some(({ report }) => report.selectable)
          ? 'available'
          : routes.find(({ report }) => report.action.severity === 'error')?.report.skip_reason ??
            routes[0]?.report.skip_reason ?? 'unrecorded',
        decision: own ? decisionFor(own) : null,
        selectable: routes.filter(({ report }) => report.selectable).length,
        routes: routes.length,
        // What is in the way may have no command that mends it, and one that says more.
        next: routes.map(({ report }) => report.action.command).find((command) => command !== null) ??
          routes.map(({ report }) => report.action.diagnostic_command).find((command) => command !== null) ?? null,
      }
    }),
    handoffs,
    last_tick: tick ? { at: Math.floor(tick.updated_ms / 1000), ...lastTickOf(tick.value) } : null,
  }
}

function lastTickOf(value: string): { readonly afloat: boolean; readonly message: string } {
  const { afloat, message } = JSON.parse(value) as { afloat: boolean; message: string }
  return { afloat, message }
}

/** What is there, for an agent: no secret, nothing spent, and the commands it may run. */
export async function discover(context: RepairContext, config: ConfigFacts) {
  const inventory = context.inventory()
  const set = codexSetup(inventory)
  const configured = config.configured || inventory.accounts.length > 0
  const rows = await listProviders(context)
  return {
    version: context.version,
    configured,
    config_path: config.path,
    state_dir: config.stateDir,
    codex_configured: set.any,
    codex_max_configured: set.max,
    providers: rows.map((
      { name, definition_key, configured, configured_accounts, capabilities, command_availability },
    ) => ({
      name,
      kind: definition_key,
      configured,
      configured_accounts,
      capabilities,
      command_availability,
    })),
    profiles: [...inventory.profiles.values()].map(({ name, entries }) => ({
      name,
      routes: entries.map(({ provider, account, capability }) => routeKey(provider, account, capability)),
    })),
    agent_safe_commands: [
      ...safeCommands,
      ...(set.any && !set.max ? ['gw codex config-candidate --json'] : []),
    ],
    next_commands: configured
      ? ['gw route explain --json']
      : ['gw init', 'gw doctor --json', 'gw providers list --json', 'gw report --redacted --json'],
  }
}

/** A report that can be shared: where secrets are only when asked for, what they are never. */
export async function supportReport(
  context: RepairContext,
  config: ConfigFacts,
  options: { readonly includePaths: boolean; readonly paths: Readonly<Record<string, string>> },
) {
  const inventory = context.inventory()
  const rows = await listProviders(context)
  const shown = new Map(rows.map((row) => [row.name, row]))
  const names = [
    ...new Set([
      ...inventory.providers.map(({ name }) => name),
      ...inventory.accounts.map(({ provider }) => provider),
    ]),
  ]
  const facts = knownFacts(context)
  return {
    version: context.version,
    os: process.platform,
    arch: process.arch,
    redacted: !options.includePaths,
    include_paths: options.includePaths,
    paths: options.includePaths
      ? options.paths
      : Object.fromEntries(Object.keys(options.paths).map((key) => [key, 'redacted'])),
    config: {
      configured: config.configured,
      valid: config.valid,
      providers: inventory.providers.length,
      accounts: inventory.accounts.length,
      profiles: inventory.profiles.size,
      validation_messages: config.messages,
    },
    providers: names.map((name) => ({
      name,
      kind: shown.get(name)?.definition_key ?? name,
      support_status: shown.get(name)?.support_status ?? 'needs_operator_proof',
      proof_status: shown.get(name)?.proof_status ?? 'needs_operator_proof',
      config_dir_env: inventory.accounts.find(({ provider }) => provider === name)?.configDirEnv ?? null,
      accounts: inventory.accounts.filter(({ provider }) => provider === name).map((account) => ({
        name: account.account,
        priority: account.priority,
        secret_backend: account.backend,
        secret_location: locationOf(account, options.includePaths),
        config_dir_set: account.configDir !== null,
        config_dir: account.configDir === null ? null : options.includePaths ? account.configDir : 'redacted',
        identity_known: facts.identities.has(accountKey(account)),
        writeback: writebackFor(account.definition.repair.owner, account.backend).reason,
        tags: account.tags,
      })),
    })),
    health: health(context).accounts,
    command_availability: rows.flatMap((row) =>
      row.command_availability.map(({ command, available }) => ({ provider: row.name, command, available }))
    ),
    next_commands: inventory.accounts.length === 0 ? ['gw init'] : ['gw route explain --json'],
  }
}

function locationOf(account: RouteAccount, includePaths: boolean) {
  if (account.secret === null) return null
  return includePaths ? describeLocation(account.secret) : 'redacted'
}
