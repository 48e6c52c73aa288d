import { expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const root = resolve(import.meta.dir, '../..')

/** Every page that people read. */
const pages = ['README.md', 'bench/README.md', ...filesBelow('docs')]

function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : path.endsWith('.md') ? [path] : []
  })
}

const withoutCode = (markdown: string): string =>
  markdown.replaceAll(/^```[^]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '')

/** The anchors of a page, as hosts of repositories make them from its headings. */
function anchorsOf(markdown: string): Set<string> {
  const seen = new Map<string, number>()
  const headings = [...markdown.replaceAll(/^```[^]*?^```/gm, '').matchAll(/^#+ (.+)$/gm)].map(([, text]) => text!)
  return new Set(headings.map((heading) => {
    const slug = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-')
    const times = seen.get(slug) ?? 0
    seen.set(slug, times + 1)
    return times === 0 ? slug : `${slug}-${times}`
  }))
}

for (const page of pages) {
  const text = readFileSync(join(root, page), 'utf8')
  const links = [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target))
  if (links.length === 0) continue
  test(`${page}: what it links to is there`, () => {
    const broken = links.filter((target) => {
      const [path, anchor] = target.split('#') as [string, string?]
      const file = path === '' ? join(root, page) : join(root, dirname(page), path)
      if (!existsSync(file)) return true
      return anchor !== undefined && !anchorsOf(readFileSync(file, 'utf8')).has(anchor)
    })
    expect(broken).toEqual([])
  })
}

test('every file and folder of the repository that a page names is there', () => {
  const missing = pages.flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8')
    const named = [...text.matchAll(/(?<![\w./~-])(?:lib|server|mcp|client|test|bench|docs)\/[\w./{},*-]*/g)].map((
      [path],
    ) => path)
    return named.map((path) => path.replace(/[.,]+$/, '')).filter((path) =>
      !/[{}*]/.test(path) && !existsSync(join(root, path))
    ).map((path) => `${page}: ${path}`)
  })
  expect(missing).toEqual([])
})

test('the storeys of the architecture page are the rooms there are', () => {
  const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8')
  const storeys = /```\n(11 [^]*?)```/.exec(page)![1]!.split('\n').map((line) => line.slice(4, 58).trim())
  const drawn = storeys.flatMap((line) => line.split(/\s+/)).filter((name) => /^[a-z-]+$/.test(name))
  const rooms = readdirSync(join(root, 'lib'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  expect(drawn.sort()).toEqual([...rooms.map(({ name }) => name), 'server', 'mcp', 'client'].sort())
})

test('every page can be reached from the README', () => {
  const reached = new Set<string>()
  const visit = (page: string): void => {
    if (reached.has(page) || !page.endsWith('.md')) return
    reached.add(page)
    for (const [, target] of withoutCode(readFileSync(join(root, page), 'utf8')).matchAll(/\]\(([^)\s#]+)[^)]*\)/g)) {
      const path = relative(root, join(root, dirname(page), target!))
      if (/^[a-z]+:/.test(target!) || !existsSync(join(root, path))) continue
      if (path.endsWith('.md')) visit(path)
      // A link to a folder is one to what lies in it.
      else for (const inside of pages) if (inside.startsWith(`${path}/`)) visit(inside)
    }
  }
  visit('README.md')
  expect(pages.filter((page) => !reached.has(page))).toEqual([])
})
