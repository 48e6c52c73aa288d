import { z } from 'zod'
import { once } from '../../base/mod.ts'
import { budgets } from '../definition/budget.ts'
import { definitionSchema } from '../definition/schema.ts'
import { refine } from './check.ts'
import { secretBackendSchema } from './secret.ts'

/** The parts of an inventory, for the schemas that are put together from them. */
export const inventorySchemas = once(() => {
  /** An account that stay-afloat looks after. */
  const account = z.strictObject({
    priority: z.int().min(-(2 ** 31)).max(2 ** 31 - 1).default(0).describe('Higher is tried first'),
    secret: secretBackendSchema().optional().describe('Where its credential is; absent when its own program keeps it'),
    config_dir: z.string().min(1, 'must not be empty').optional().describe('Directory of its own, ~ is expanded'),
    quota: z.strictObject({
      monthly_limit: z.number().min(0).optional().describe('Probes and runs a month before the account is left alone'),
      warn_at_pct: z.number().min(0).max(100).default(5).describe('Warn when this part of the limit is left, percent'),
    }).optional(),
    tags: z.array(z.string()).default([]),
  })

  const provider = z.strictObject({
    kind: z.string().describe('Name of its definition'),
    config_dir_env: z.string().min(1, 'must not be empty').optional().describe('Overrides that of the definition'),
    accounts: z.record(z.string(), account).default({}),
  })

  const profile = z.strictObject({
    providers: z.array(z.string()).default([]).describe('provider:account or provider:account#capability, in order'),
    strategy: z.string().optional(),
    affinity_ttl_minutes: z.number().min(0).default(20).describe(
      'How long a selection is kept while it stays selectable',
    ),
  })

  const strategy = z.strictObject({
    kind: z.enum(['priority-failover', 'health-weighted', 'round-robin']),
    max_retries: z.int().min(0).max(1000).default(2).describe('Further accounts tried after the first'),
    health_decay_per_hour: z.number().optional(),
    rate_limit_penalty: z.number().optional(),
    failure_penalty: z.number().optional(),
    success_bonus: z.number().optional(),
  })

  /** What may run unasked. */
  const daemonPolicy = z.strictObject({
    allowed_budgets: z.array(z.enum(budgets)).default(['free_local', 'free_command'])
      .describe('Cost classes that may run without being asked for'),
    allow_interactive: z.boolean().default(false).describe('Whether a step may need a person'),
    allow_mutating: z.boolean().default(false).describe('Whether a credential may be rewritten'),
  })

  /** What widens the policy for one provider. */
  const codexPolicy = z.strictObject({
    auto_stay_afloat: z.boolean().default(true),
    allow_provider_spend: z.boolean().default(true),
    allow_interactive_auth: z.boolean().default(false),
  })

  const policy = z.strictObject({
    daemon: daemonPolicy.prefault({}),
    codex: codexPolicy.optional().describe('Widens the policy for the provider of that name only'),
  })

  /** What is meant when a call names nothing. */
  const defaults = z.strictObject({
    provider: z.string().optional(),
    strategy: z.string().optional(),
    shell: z.enum(['fish', 'zsh', 'bash', 'ksh']).optional(),
    daemon: z.boolean().default(false),
    profile: z.string().optional(),
    capability: z.string().optional(),
  })

  /**
   * The accounts, definitions, profiles and policy of stay-afloat: the contents of an oauth-mux `config.json`, and of the
   * `[stay_afloat]` table of gw's own file.
   */
  const shape = {
    defaults: defaults.prefault({}),
    policy: policy.prefault({}),
    provider_definitions: z.record(z.string(), definitionSchema()).default({})
      .describe('Providers of your own, and replacements of the built-in ones'),
    providers: z.record(z.string(), provider).default({}).describe('Providers and their accounts'),
    profiles: z.record(z.string(), profile).default({}).describe('Ordered lists of routes'),
    strategies: z.record(z.string(), strategy).default({}).describe('How a profile is ordered and how often tried'),
  }

  /** The shape as a whole, before the rules that span more than one value. */
  const plain = z.strictObject(shape)
  return { account, codexPolicy, daemonPolicy, defaults, plain, policy, shape, strategy }
})

/** An inventory with every rule: what `config.json` must be. */
export const inventorySchema = once(() => inventorySchemas().plain.superRefine(refine))

type Schemas = ReturnType<typeof inventorySchemas>

/** A validated inventory. */
export type InventoryConfig = z.output<Schemas['plain']>
/** One account of an {@link InventoryConfig}. */
export type AccountConfig = z.output<Schemas['account']>
/** One strategy of an {@link InventoryConfig}. */
export type StrategyConfig = z.output<Schemas['strategy']>
/** `policy` of an {@link InventoryConfig}. */
export type PolicyConfig = z.output<Schemas['policy']>
