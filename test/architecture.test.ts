import { expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

/** Storeys of the house, lowest first. A room imports only rooms on lower storeys, through their `mod.ts`. */
const storeys: readonly (readonly string[])[] = [
  ['base', 'platform'],
  ['storage', 'egress', 'secrets', 'catalog', 'protocol'],
  ['credentials', 'access'],
  ['accounts', 'liveness', 'usage', 'payments'],
  ['routing', 'upstream'],
  ['gateway'],
  ['tasks', 'repair', 'harness', 'setup', 'rendezvous', 'mcp-proxy', 'demo', 'conform', 'llm-bridge'],
  ['config'],
  ['migrate'],
  ['operations'],
  ['root'],
  ['server', 'mcp', 'client'],
]

/** Edges inside one storey. If this list grows, a storey is wrong. */
const declared = new Set([
  'platform → base',
  'catalog → protocol',
  'secrets → storage',
  'liveness → accounts',
  'usage → accounts',
])

/** `node:` modules that all three runtimes share. */
const sharedNode = new Set(
  ['async_hooks', 'buffer', 'child_process', 'crypto', 'dns', 'dns/promises', 'fs', 'fs/promises', 'http', 'net', 'os']
    .concat(['path', 'process', 'stream', 'url', 'util', 'zlib', 'timers/promises', 'readline', 'readline/promises']),
)

const root = resolve(import.meta.dir, '..')
const imports =
  /(?:^|\n)\s*(?:import|export)\s+(?:type\s+)?(?:[^'"]*?\sfrom\s+)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/g

function sources(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) return sources(path)
    return name.endsWith('.ts') ? [path] : []
  })
}

/** The room a file stands in: a folder of lib, `root` for lib's own files, or a front door. */
function roomOf(path: string): string {
  const parts = relative(root, path).split('/')
  if (parts[0] !== 'lib') return parts[0]!
  return parts.length === 2 ? 'root' : parts[1]!
}

const storeyOf = (room: string): number => storeys.findIndex((rooms) => rooms.includes(room))

const files = ['lib', 'server', 'mcp', 'client'].flatMap((folder) => sources(join(root, folder)))
const edges = files.flatMap((file) =>
  [...readFileSync(file, 'utf8').matchAll(imports)].map((match) => ({
    file,
    specifier: (match[1] ?? match[2])!,
    dynamic: match[1] === undefined,
  }))
)
const name = (path: string) => relative(root, path)

test('every room stands on a storey and has a door that says what it owns', () => {
  for (const room of readdirSync(join(root, 'lib')).filter((entry) => !entry.endsWith('.ts'))) {
    expect([room, storeyOf(room) >= 0]).toEqual([room, true])
    const door = join(root, 'lib', room, 'mod.ts')
    expect([room, existsSync(door)]).toEqual([room, true])
    expect([room, /^\/\*\*[\s\S]*?\bOwns\b[\s\S]*?@module/.test(readFileSync(door, 'utf8'))]).toEqual([room, true])
  }
})

test('what a door says to start at is behind it', () => {
  for (const room of readdirSync(join(root, 'lib')).filter((entry) => !entry.endsWith('.ts'))) {
    const text = readFileSync(join(root, 'lib', room, 'mod.ts'), 'utf8')
    const [said, exported] = [text.slice(0, text.indexOf('*/')), text.slice(text.indexOf('*/'))]
    const named = [...said.matchAll(/\{@link (\w+)/g)].map(([, name]) => name!)
    expect([room, named.length > 0]).toEqual([room, true])
    expect([room, named.filter((name) => !new RegExp(`\\b${name}\\b`).test(exported))]).toEqual([room, []])
  }
})

test('rooms import only lower storeys', () => {
  const wrong = edges.filter(({ specifier }) => specifier.startsWith('.')).flatMap(({ file, specifier, dynamic }) => {
    const from = roomOf(file)
    const to = roomOf(resolve(dirname(file), specifier))
    if (from === to || storeyOf(to) < storeyOf(from) || declared.has(`${from} → ${to}`)) return []
    // The command line starts the other doors, and only by dynamic import.
    if (from === 'client' && dynamic && (to === 'server' || to === 'mcp')) return []
    return [`${name(file)} → ${specifier}`]
  })
  expect(wrong).toEqual([])
})

test('a room is entered through its door', () => {
  const wrong = edges.filter(({ specifier }) => specifier.startsWith('.')).flatMap(({ file, specifier }) => {
    const target = resolve(dirname(file), specifier)
    const [from, to] = [roomOf(file), roomOf(target)]
    if (from === to || to === 'root' || !name(target).startsWith('lib/')) return []
    // The schema of the configuration is read by every command, long before any room is needed: lib/config takes each
    // fragment from the file that holds it alone, so that a start does not load what the rooms load.
    // And so a fragment may take a part of another's.
    const fragment = name(file) === 'lib/config/sections.ts' || /^lib\/[^/]+\/config\.ts$/.test(name(file))
    if (fragment && /^lib\/[^/]+\/(config|rules)\.ts$/.test(name(target))) return []
    // One call loads one area of the operations; those who draw whole surfaces take the list by a door of its own.
    if (name(target) === 'lib/operations/router.ts') return []
    // A command that only looks, and ends, comes through a narrow door that loads nothing else of the room.
    if (name(target) === `lib/${to}/look.ts`) return []
    // What a room says of itself as data runs nothing: it may be read past the door.
    if (name(target) === `lib/${to}/manifest.json`) return []
    return name(target) === `lib/${to}/mod.ts` ? [] : [`${name(file)} → ${specifier}`]
  })
  expect(wrong).toEqual([])
})

test('files do not import one another in a circle', () => {
  const graph = new Map(files.map((file) => [file, new Set<string>()]))
  for (const { file, specifier, dynamic } of edges) {
    if (specifier.startsWith('.') && !dynamic) graph.get(file)!.add(resolve(dirname(file), specifier))
  }
  const done = new Set<string>()
  const circles: string[] = []
  function visit(file: string, trail: string[]): void {
    if (trail.includes(file)) circles.push(trail.slice(trail.indexOf(file)).concat(file).map(name).join(' → '))
    if (done.has(file) || trail.includes(file)) return
    for (const next of graph.get(file) ?? []) visit(next, [...trail, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
  expect(circles.filter((circle) => !typeOnly(circle))).toEqual([])
})

/** A circle in which one edge is only `import type` does not exist at run time. */
function typeOnly(circle: string): boolean {
  const steps = circle.split(' → ').map((step) => join(root, step))
  return steps.slice(0, -1).some((file, i) => {
    const base = steps[i + 1]!.split('/').pop()!.replace('.', '\\.')
    const statements = [...readFileSync(file, 'utf8').matchAll(new RegExp(`(import|export)[^;]*?${base}['"]`, 'g'))]
    return statements.length > 0 && statements.every(([text]) => /^(import|export)\s+type\b/.test(text))
  })
}

test('runtime names stay in platform and the front doors', () => {
  const allowed = (file: string) => /^lib\/platform\/|^server\/main\.ts$|^client\/cli\//.test(name(file))
  const wrong = files.filter((file) => !allowed(file)).flatMap((file) => {
    const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '')
    return /(?<!['"`.\w])(Bun|Deno)\.\w/.test(code) || /['"]bun:/.test(code) ? [name(file)] : []
  })
  const foreign = edges.filter(({ file, specifier }) =>
    specifier.startsWith('node:') && !sharedNode.has(specifier.slice(5)) && !allowed(file)
  ).map(({ file, specifier }) => `${name(file)} → ${specifier}`)
  expect([...wrong, ...foreign]).toEqual([])
})
