import { z } from 'zod'
import type { AnyRouter } from '@trpc/server'
import { GwError, invariant, type JsonObject } from '../base/mod.ts'
import type { OperationMeta } from './operation.ts'

/** An operation as plain data: what every surface is made from. */
export interface OperationDescription extends Omit<OperationMeta, 'before' | 'hide'> {
  /** `accounts.remove` */
  readonly name: string
  readonly kind: 'query' | 'mutation' | 'subscription'
  /** JSON Schema of what goes in, defaults optional. */
  readonly input: JsonObject
  /** JSON Schema of what comes out; `null` for a stream. */
  readonly output: JsonObject | null
}

/** The part of a tRPC procedure that is read here and nowhere else. */
interface ProcedureInternals {
  readonly _def: {
    readonly type: 'query' | 'mutation' | 'subscription'
    readonly meta?: OperationMeta
    readonly inputs: readonly z.ZodType[]
    readonly output?: z.ZodType
  }
}

/**
 * Every operation of a router, by name. The only place that looks inside tRPC: a test pins what it relies on.
 *
 * @param target the flavour of JSON Schema that is wanted
 * @throws GwError `internal` when a procedure was not begun by `operation()`: no meta, or not one input and one output
 */
export function describeOperations(
  router: AnyRouter,
  target: 'draft-2020-12' | 'openapi-3.0' = 'draft-2020-12',
): readonly OperationDescription[] {
  const procedures = router._def.procedures as Readonly<Record<string, ProcedureInternals>>
  return Object.entries(procedures).map(([name, { _def }]) => {
    const { type, meta, inputs, output } = _def
    invariant(meta, `operation ${name} has no meta`)
    invariant(inputs.length === 1, `operation ${name} has ${inputs.length} inputs`)
    invariant(type === 'subscription' || output, `operation ${name} has no output`)
    const { before: _, hide: __, ...rest } = meta
    return {
      ...rest,
      name,
      kind: type,
      input: schemaOf(name, inputs[0]!, { io: 'input', target }),
      output: type === 'subscription' ? null : schemaOf(name, output!, { io: 'output', target }),
    }
  }).sort((a, b) => a.name < b.name ? -1 : 1)
}

/** The names that give one result when called: all but the streams. */
export function callableNames(router: AnyRouter): ReadonlySet<string> {
  const procedures = router._def.procedures as Readonly<Record<string, ProcedureInternals>>
  return new Set(Object.keys(procedures).filter((name) => procedures[name]!._def.type !== 'subscription'))
}

function schemaOf(
  name: string,
  schema: z.ZodType,
  options: { io: 'input' | 'output'; target: 'draft-2020-12' | 'openapi-3.0' },
): JsonObject {
  try {
    const { $schema: _, default: __, ...rest } = z.toJSONSchema(schema, {
      ...options,
      ...(options.target === 'openapi-3.0' ? { override: ({ jsonSchema }) => asOpenApi(jsonSchema) } : {}),
    }) as Record<string, unknown>
    return rest as JsonObject
  } catch (cause) {
    throw new GwError('internal', `the ${options.io} of operation ${name} is not plain JSON`, { cause })
  }
}

/** Takes out what only the command line reads: OpenAPI 3.0 has a closed list of words. */
function asOpenApi(schema: Record<string, unknown>): void {
  if (schema.secret === true) Object.assign(schema, { format: 'password', writeOnly: true })
  for (const word of ['positional', 'secret', 'propertyNames']) delete schema[word]
}
