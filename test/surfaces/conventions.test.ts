import { expect, test } from 'bun:test'
import type { JsonObject } from '../../lib/base/mod.ts'
import type { OperationDescription } from '../../lib/operations/mod.ts'
import { described } from '../../client/cli/manifest.ts'

/**
 * Shapes that were fixed before gw: programs that read them go on working. Each with where it is written down.
 *
 * @see docs/decisions/0003-json-conventions.md
 */
const fixedAnswers: Readonly<Record<string, string>> = {
  'afloat.ack': 'oauth-mux A11.3',
  'afloat.clear': 'oauth-mux A11.3',
  'afloat.handoffs': 'oauth-mux A11.3',
  'afloat.next': 'oauth-mux A11.4',
  'afloat.tick': 'oauth-mux A11.2',
  'providers.add': 'provider API of Link.Assistant.Router, LR-10',
  'providers.show': 'provider API of Link.Assistant.Router, LR-10',
  'providers.stored': 'provider API of Link.Assistant.Router, LR-10',
  'repair.events': 'oauth-mux A10.1',
  'repair.plan': 'oauth-mux A7',
  'repair.probe': 'oauth-mux A6.3',
  'repair.refresh': 'oauth-mux A10.2',
  'repair.run': 'oauth-mux A10',
  'route.explain': 'oauth-mux A7',
  'route.select': 'oauth-mux A7',
  'state.accounts': 'oauth-mux A8',
  'state.discover': 'oauth-mux A8',
  'state.doctor': 'oauth-mux A8',
  'state.health': 'oauth-mux A6.4',
  'state.providers': 'oauth-mux A8',
  'state.report': 'oauth-mux A8',
  'state.runtime': 'oauth-mux A9',
  'state.status': 'oauth-mux A6, OM-30',
  'tokens.issue': 'token API of Link.Assistant.Router, LR-3 and LR-4',
  'tokens.list': 'token API of Link.Assistant.Router, LR-3 and LR-4',
  'tokens.show': 'token API of Link.Assistant.Router, LR-3 and LR-4',
}

/** Answers about one thing, which has lists in it: they are not the list that was asked for. */
const oneThing: Readonly<Record<string, readonly string[]>> = {
  'auth.inspect': ['uses'],
  'migrate.run': ['taken', 'left'],
  'route.plan': ['targets', 'dropped'],
  'route.why': ['attempts'],
  'system.doctor': ['checks'],
  'usage.request': ['attempts', 'losses', 'bodies'],
}

/** The name that tRPC itself gives to where a stream goes on. */
const namedByTrpc = new Set(['lastEventId'])

/** The part of a JSON Schema that is looked at here. */
interface Schema {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly additionalProperties?: boolean | Schema
}

const schemaOf = (schema: JsonObject | null): Schema => schema as unknown as Schema

/** Every object of a schema with its place; what stands under keys of the user's own is looked at too. */
function objectsOf(schema: Schema, place = ''): readonly (readonly [place: string, object: Schema])[] {
  const inner = [
    ...Object.entries(schema.properties ?? {}).flatMap(([name, one]) => objectsOf(one, `${place}.${name}`)),
    ...(schema.items ? objectsOf(schema.items, `${place}[]`) : []),
    ...(schema.anyOf ?? []).flatMap((one) => objectsOf(one, place)),
    ...(typeof schema.additionalProperties === 'object' ? objectsOf(schema.additionalProperties, `${place}.*`) : []),
  ]
  return schema.properties ? [[place, schema], ...inner] : inner
}

function namesOf(schema: Schema): readonly string[] {
  return objectsOf(schema).flatMap(([place, { properties }]) =>
    Object.keys(properties!).map((name) => `${place}.${name}`)
  )
}

const last = (path: string): string => path.slice(path.lastIndexOf('.') + 1)
const own = described.filter(({ name, output }) => output !== null && fixedAnswers[name] === undefined)
const odd = (find: (operation: OperationDescription) => readonly string[]) =>
  own.flatMap((operation) => find(operation).map((what) => `${operation.name} ${what}`))

test('what goes in is named like a setting: small letters and underscores', () => {
  const found = described.flatMap(({ name, input }) =>
    namesOf(schemaOf(input)).filter((path) => !/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(last(path)))
      .filter((path) => !namedByTrpc.has(last(path)))
      .map((path) => `${name} ${path}`)
  )
  expect(found).toEqual([])
})

test('what comes out is named in camel case, but for shapes that were fixed before', () => {
  expect(odd(({ output }) => namesOf(schemaOf(output)).filter((path) => !/^[a-z][A-Za-z0-9]*$/.test(last(path)))))
    .toEqual([])
})

test('what goes in and what comes out are called by the same words', () => {
  const words = (name: string) => name.replace(/_|(?=[A-Z])/g, ' ').toLowerCase()
  const spelled = (schemas: readonly (JsonObject | null)[]) =>
    new Map(
      schemas.filter((schema) => schema !== null).flatMap((schema) =>
        namesOf(schemaOf(schema)).map((path) => [words(last(path)).replaceAll(' ', ''), words(last(path))] as const)
      ),
    )
  const [given, told] = [spelled(described.map(({ input }) => input)), spelled(own.map(({ output }) => output))]
  expect([...given].filter(([letters, text]) => told.has(letters) && told.get(letters) !== text)).toEqual([])
})

test('an answer is an object, and every field of it is always there', () => {
  expect(odd(({ output }) => schemaOf(output).type === 'object' ? [] : [`is ${schemaOf(output).type}`])).toEqual([])
  expect(
    odd(({ output }) =>
      objectsOf(schemaOf(output)).flatMap(([place, { properties, required = [] }]) =>
        Object.keys(properties!).filter((name) => !required.includes(name)).map((name) => `${place}.${name}`)
      )
    ),
  ).toEqual([])
})

test('the rows of a list stand under data, the next page under next', () => {
  const lists = ({ properties = {} }: Schema) =>
    Object.keys(properties).filter((name) => properties[name]!.items?.type === 'object')
  expect(
    odd(({ name, output }) =>
      lists(schemaOf(output)).filter((list) => list !== 'data' && !oneThing[name]?.includes(list))
    ),
  ).toEqual([])
  const paged = own.filter(({ input }) => schemaOf(input).properties?.cursor)
  expect(paged.length).toBeGreaterThan(0)
  for (const { name, output } of paged) {
    expect([name, Object.keys(schemaOf(output).properties!)]).toEqual([name, ['data', 'next']])
  }
})

test('a number carries its unit in its name', () => {
  const span = /(?:duration|latency|interval|uptime|age|length|firstByte|timeout)(?!.*(?:Ms|Bytes|Tokens)$)/i
  const money = /(?:cost|^price|Price|spend|budget)(?!.*Micros)/
  const foreign = /(?:Secs?|Seconds|Usd|Cents|Kb|Mb)$/
  const numbers = ({ properties }: Schema) =>
    Object.entries(properties!).filter(([, one]) =>
      [one, ...(one.anyOf ?? [])].flatMap(({ type }) => type ?? []).some((type) => /number|integer/.test(type))
    ).map(([name]) => name)
  expect(odd(({ output }) =>
    objectsOf(schemaOf(output)).flatMap(([, object]) => numbers(object))
      .filter((name) => foreign.test(name) || span.test(name) || money.test(name))
  )).toEqual([])
})

test('what is excused exists and has a reason', () => {
  const known = new Set(described.map(({ name }) => name))
  expect([...Object.keys(fixedAnswers), ...Object.keys(oneThing)].filter((name) => !known.has(name))).toEqual([])
  const lists = (name: string) => Object.keys(schemaOf(described.find((one) => one.name === name)!.output).properties!)
  for (const [name, fields] of Object.entries(oneThing)) {
    expect(lists(name)).toEqual(expect.arrayContaining([...fields]))
  }
})
