import type { Json } from '../base/mod.ts'
import type { Ledger } from './ledger.ts'
import { objectOf, objectsOf, stringOf } from './read.ts'
import type { InferenceRequest, ToolDefinition } from './request.ts'

/**
 * How many answers to choose from a target is asked for; `undefined` where that need not or cannot be said.
 *
 * @param most how many the target gives at once
 */
export function choicesFor({ choices }: InferenceRequest, ledger: Ledger, most: number): number | undefined {
  if (choices === null || ledger.same) return choices ?? undefined
  if (choices === 1) return undefined
  if (choices > 1 && choices <= most) return choices
  ledger.lose('n', most === 1 ? `no equivalent in ${ledger.target}` : `${ledger.target} gives 1 to ${most} answers`)
  return choices > most && most > 1 ? most : undefined
}

/** The tools of a list that restricts the choice: the names of the caller's own, and the paths of the others. */
export function allowedTools(list: Json | undefined, path: string): { names: string[]; unnamed: string[] } {
  const names: string[] = []
  const unnamed: string[] = []
  objectsOf(list).forEach((tool, i) => {
    const name = stringOf((objectOf(tool.function) ?? objectOf(tool.custom) ?? tool).name)
    if (name === null) unnamed.push(`${path}[${i}]`)
    else names.push(name)
  })
  return { names, unnamed }
}

/**
 * The tools that a target is told of which cannot be told that only some of them may be called: those.
 *
 * One that its provider runs has no name here, and stays where any such tool is among those allowed.
 */
export function offeredTools(
  { tools, toolChoice: choice }: InferenceRequest,
  ledger: Ledger,
): readonly ToolDefinition[] {
  if (choice?.type !== 'allowed' || ledger.same) return tools
  const names = new Set(choice.names)
  return tools.filter((tool) => 'name' in tool ? names.has(tool.name) : choice.unnamed.length > 0)
}
