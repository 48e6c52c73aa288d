import type { JsonObject } from '../../base/mod.ts'
import { compact } from '../read.ts'

/** What a response repeats of the body it answers. */
export function echo(body: JsonObject): JsonObject {
  return compact({
    background: false,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: body.previous_response_id ?? null,
    reasoning: body.reasoning ?? { effort: null, summary: null },
    store: body.store ?? true,
    temperature: body.temperature ?? 1,
    text: body.text ?? { format: { type: 'text' } },
    tool_choice: body.tool_choice ?? 'auto',
    tools: body.tools ?? [],
    top_p: body.top_p ?? 1,
    truncation: body.truncation ?? 'disabled',
    user: body.user ?? null,
  })
}

/** The id of the answer to a call, by the call's stem. */
export function responseId(stem: string): string {
  return `resp_${stem}`
}
