import { z } from 'zod'
import { once } from '../base/mod.ts'
import { isToolRule } from './tool-rules.ts'

/** One rule for foreign tools, as text. */
export const toolRule: () => z.ZodString = once(() =>
  z.string().max(300).refine(isToolRule, 'must look like mcp__server, mcp__server__* or mcp__server__tool')
)

/** `{ allow, ask, deny }`: rules for foreign tools, of the gateway or of a token. */
export const toolRulesConfig = once(() => {
  const rules = z.array(toolRule()).max(200).default([]).describe(
    'Rules such as mcp__server, mcp__server__* or mcp__server__tool',
  )
  return z.object({ allow: rules, ask: rules, deny: rules }).strict()
})
