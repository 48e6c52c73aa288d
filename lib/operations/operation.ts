import { initTRPC } from '@trpc/server'
import { z } from 'zod'
import { GwError, isGwError, type Json, type JsonObject, redactFields, toGwError } from '../base/mod.ts'
import type { Scope } from '../access/mod.ts'
import type { OperationContext } from './context.ts'
import { fromTrpc, toTrpc } from './errors.ts'

/**
 * What running an operation means for the world.
 *
 * `reads` changes nothing. `spends` may cost money or quota at a provider. `mutates` changes this home. `interactive`
 * begins or continues a conversation with a person.
 */
export type Effect = 'reads' | 'spends' | 'mutates' | 'interactive'

/** How the command line shows and takes an operation. */
export interface CliHints {
  /** Short options by field: `{ label: 'l' }`. */
  readonly short?: Readonly<Record<string, string>>
  /** Fields of the result that make up the table, in order; `price.inputMicros` is a field of a field. Absent: all. */
  readonly columns?: readonly string[]
  /** The one field to print alone on stdout when nothing else is asked for, as scripts want it. */
  readonly print?: string
  /** Its secret is asked for unless this field is given. */
  readonly secretUnless?: string
  /** The whole command, where it is not `<area> <name>`. */
  readonly command?: string
  /** What its area does when no command of it is named. */
  readonly default?: boolean
  /** Further names of the command. */
  readonly aliases?: readonly string[]
  /** A command line that works, for the help. */
  readonly example?: string
  /** Not a command of its own: a conversation in `client/cli` wraps it. */
  readonly hidden?: boolean
}

/** Everything about an operation that is not its code. */
export interface OperationMeta {
  /** One sentence, imperative, without a full stop. */
  readonly summary: string
  /** Longer help, for the documentation and for agents. */
  readonly description?: string
  readonly scope: Scope
  readonly effect: Effect
  /** It takes something away that cannot be had back. */
  readonly destructive?: boolean
  /** Asking twice comes to the same as asking once. */
  readonly idempotent?: boolean
  /** Offered to agents as a tool. */
  readonly mcp?: boolean
  readonly cli?: CliHints
  /** The input as it may be recorded and shown, where field names alone do not tell what is secret. */
  readonly hide?: (input: JsonObject) => JsonObject
  /** What stood there before, for the audit record; never a secret. */
  readonly before?: (context: OperationContext, input: JsonObject) => Promise<Json>
  /** Whether this call would find nothing to do yet: who asks every half second fills no record with it. */
  readonly idle?: (context: OperationContext, input: JsonObject) => Promise<boolean>
}

/** The meta and the two schemas of an operation. */
export interface OperationSpec<I extends z.ZodObject, O extends z.ZodType> extends OperationMeta {
  readonly input: I
  readonly output: O
}

const t = initTRPC.context<OperationContext>().meta<OperationMeta>().create({
  isServer: true,
  sse: { ping: { enabled: true, intervalMs: 15_000 }, client: { reconnectAfterInactivityMs: 45_000 } },
  errorFormatter: ({ shape, error }) => {
    const own = fromTrpc(error)
    // The stack and the cause stay here: an answer tells what went wrong, never where in the code.
    const { code, httpStatus, path } = shape.data
    return {
      ...shape,
      message: own.message,
      data: {
        code,
        httpStatus,
        ...(path === undefined ? {} : { path }),
        gw: { code: own.code, hint: own.hint, param: own.param, retryAfterMs: own.retryAfterMs, details: own.details },
      },
    }
  },
})

/** Puts operations, or areas of them, under names. */
export const area = t.router

/** Makes a function that calls operations directly, as the HTTP, MCP and command line surfaces do. */
export const callerOf = t.createCallerFactory

/** Errors of ours leave as ours, whatever tRPC made of them on the way. */
const translateErrors = t.middleware(async ({ next }) => {
  const result = await next()
  if (result.ok) return result
  throw toTrpc(fromTrpc(result.error))
})

/** The scopes of the caller and the policy of the surface, before anything is looked at. */
const admit = t.middleware(({ ctx, meta, path, next }) => {
  const scope = meta!.scope
  if (!ctx.principal.scopes.has('admin') && !ctx.principal.scopes.has(scope)) {
    throw toTrpc(
      new GwError('access.scope', `Authenticated token is missing required scope '${scope}'.`, {
        hint: `ask for a token with the scope ${scope}`,
        details: { required: [scope], operation: path },
      }),
    )
  }
  return next()
})

/** What another process of the home did a moment ago counts for every call, wherever it came in. */
const informed = t.middleware(async ({ ctx, next }) => {
  await ctx.rooms.news()
  return next()
})

/** The record of a change: written before it, closed after it. Without it there is no change. */
const audited = t.middleware(async ({ ctx, meta, path, input, next }) => {
  if (meta!.effect === 'reads') return next()
  const given = input as JsonObject
  const fields = redactFields(meta!.hide ? meta!.hide(given) : given) as JsonObject
  await ctx.gate?.({ operation: path, effect: meta!.effect, destructive: meta!.destructive ?? false, input: fields })
  if (await meta!.idle?.(ctx, given).catch(() => false)) return next()
  const record = await ctx.audit.begin({
    principal: ctx.principal.id,
    surface: ctx.surface,
    operation: path,
    effect: meta!.effect,
    input: fields,
    before: await before(ctx, meta!, given),
  })
  const result = await next()
  if (result.ok) await record.end({ ok: true, after: afterOf(result.data) })
  else await record.end({ ok: false, error: fromTrpc(result.error).code })
  return result
})

async function before(context: OperationContext, meta: OperationMeta, input: JsonObject): Promise<Json> {
  if (!meta.before) return null
  try {
    return redactFields({ value: await meta.before(context, input) }).value as Json
  } catch (error) {
    // What is not there has no state before; the operation itself will say so.
    if (isGwError(error) && error.status === 404) return null
    throw toTrpc(toGwError(error))
  }
}

const afterOf = (data: unknown): Json => redactFields({ value: data }).value as Json ?? null

/**
 * The only way to begin an operation: scope first, then the input's schema, then what other processes did, then the audit
 * record, then the code, whose result is cut to the output's schema.
 *
 * @example operation({ summary: 'Forget an account', scope: 'admin', effect: 'mutates', input, output }).mutation(…)
 */
export function operation<I extends z.ZodObject, O extends z.ZodType>(spec: OperationSpec<I, O>) {
  const { input, output, ...meta } = spec
  return t.procedure.meta(meta).use(translateErrors).use(admit).input(orNothing(input)).use(informed).use(audited)
    .output(output)
}

/**
 * A stream of events, for tRPC alone: HTTP and MCP read the same through a cursor query.
 */
export function stream<I extends z.ZodObject>(spec: Omit<OperationSpec<I, z.ZodType>, 'output' | 'effect'>) {
  const { input, ...meta } = spec
  return t.procedure.meta({ ...meta, effect: 'reads' }).use(translateErrors).use(admit).input(orNothing(input))
    .use(informed)
}

/** An input without a required field may be left out altogether. */
type OrNothing<I extends z.ZodObject> = z.ZodType<
  z.output<I>,
  Record<never, never> extends z.input<I> ? z.input<I> | void : z.input<I>
>

function orNothing<I extends z.ZodObject>(input: I): OrNothing<I> {
  // The value that `void` stands for is filled in here, which the types of zod cannot say.
  return (input.safeParse({}).success ? input.prefault({} as never) : input) as unknown as OrNothing<I>
}

/** No input. */
export const nothing: z.ZodObject<Record<never, never>, z.core.$strict> = z.object({}).strict()

/** Any JSON value: an empty schema, so that every surface can say so. */
export const anyJson = z.unknown() as unknown as z.ZodType<Json>
