import { isObject } from '../../../lib/base/mod.ts'
import type { CliIo } from '../io.ts'
import { green, yellow } from '../output.ts'
import { printable } from '../words.ts'

/** One line a route: what it is, how it is, and the next step. */
export function printRoutes(io: CliIo, result: { readonly routes?: unknown }): void {
  const routes = result.routes as readonly Readonly<Record<string, unknown>>[]
  if (routes.length === 0) return io.out('no route is configured\n')
  let text = ''
  for (const route of routes) {
    const action = isObject(route.action) ? route.action : {}
    const name = `${route.provider}:${route.account}${route.capability === null ? '' : `#${route.capability}`}`
    const state = route.selected
      ? green(io, 'selected')
      : route.selectable
      ? green(io, 'can be used')
      : yellow(io, String(route.skip_reason))
    const step = action.kind === 'none' ? '' : `  ${printable(String(action.message))}`
    text += `${printable(name)}  ${state}${step}${action.command ? `  → ${printable(String(action.command))}` : ''}\n`
  }
  io.out(text)
}
