import type { Command } from 'commander'
import type { OperationDescription } from '../../../lib/operations/mod.ts'
import { addFields, inputFrom } from '../fields.ts'
import { operationNamed } from '../manifest.ts'
import { printJson, printResult } from '../output.ts'
import { commandAt, type CommandContext } from '../program.ts'
import { printRoutes } from './print-routes.ts'
import { addScope, scopeOf } from './scope.ts'

/** `gw route explain MODEL` plans a request; without a model it explains the routes that are looked after. */
export function addRouteExplain(program: Command, context: CommandContext): void {
  const models = operationNamed('route.plan')
  const routes = operationNamed('route.explain')
  const { required: _, ...input } = models.input
  const optional: OperationDescription = { ...models, input }
  const command = commandAt(program, 'route explain')
    .description(`${routes.summary}; with a model, which targets would serve it`)
  addFields(command, optional)
  const capability = command.options.find(({ long }) => long === '--capability')
  if (capability) {
    // Routes have capabilities of their own beside those of models: what is asked checks the name.
    capability.flags = '--capability <name>'
    delete capability.argChoices
    capability.argParser((text: string) => text)
  }
  addScope(command)
  command.action(() =>
    context.withSession(async (session) => {
      const { io, options } = context
      if (command.processedArgs[0] !== undefined) {
        const given = await inputFrom({ operation: optional, command, io })
        return printResult(io, models, await session.call(models, given), options().json)
      }
      const report = await session.call(routes, scopeOf(command)) as { readonly routes?: unknown }
      if (options().json) printJson(io, report)
      else printRoutes(io, report)
    })
  )
}
