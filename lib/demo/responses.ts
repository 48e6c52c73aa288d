import { isObject } from '../base/mod.ts'
import type { Behaviour } from './models.ts'
import { allText, type Body, json, listOf, partsOf, tokensIn, wholeNumber } from './read.ts'
import { Refusal } from './refusal.ts'
import type { Ask, Tool } from './turn.ts'

const resultTypes = new Set(['function_call_output', 'custom_tool_call_output', 'mcp_call_output', 'shell_call_output'])

/** Reads a Responses request. Nothing is stored, so a `previous_response_id` is never found. */
export function readResponses(body: Body, model: string, behaviour: Behaviour): Ask {
  const previous = body['previous_response_id']
  if (typeof previous === 'string') {
    throw new Refusal(400, `Previous response with id '${previous}' not found.`, {
      param: 'previous_response_id',
      code: 'previous_response_not_found',
    })
  }
  const items: Body[] = typeof body['input'] === 'string'
    ? [{ type: 'message', role: 'user', content: body['input'] }]
    : listOf(body, 'input')
  const lastUser = items.findLastIndex((item) => item['role'] === 'user')
  const lastOwn = items.findLastIndex((item) => item['role'] === 'assistant' || String(item['type']).endsWith('_call'))
  const parts = lastUser < 0 ? [] : partsOf(items[lastUser]!['content'])
  const isText = (part: Body): boolean => part['type'] === 'text' || part['type'] === 'input_text'
  const later = items.filter((item) => item['type'] === 'additional_tools').flatMap((item) => toolsOf(item['tools']))
  const fixed = tokensIn(body['instructions']) + tokensIn(body['tools'])
  const reasoning = body['reasoning']
  return {
    model,
    behaviour,
    text: String(parts.findLast(isText)?.['text'] ?? ''),
    attachments: parts.filter((part) => !isText(part)).length,
    results: items.slice(lastUser + 1).filter((item) => resultTypes.has(String(item['type'])))
      .map((item) => allText(item['output'])),
    tools: [...toolsOf(body['tools']), ...later],
    choice: choiceOf(body['tool_choice']),
    parallel: body['parallel_tool_calls'] !== false,
    inputTokens: fixed + tokensIn(items) + 3,
    cachedTokens: lastOwn < 0 ? 0 : fixed + tokensIn(items.slice(0, lastOwn)),
    cacheWriteTokens: 0,
    maxTokens: wholeNumber(body, 'max_output_tokens'),
    stop: [],
    json: formatOf(body['text']),
    think: isObject(reasoning) && reasoning['effort'] !== 'none' && reasoning['effort'] !== null,
  }
}

function toolsOf(tools: unknown, namespace?: string): Tool[] {
  if (!Array.isArray(tools)) return []
  return tools.filter(isObject).flatMap((tool): Tool[] => {
    const { type, name } = tool
    if (type === 'namespace') return toolsOf(tool['tools'], String(name))
    if ((type !== 'function' && type !== 'custom') || typeof name !== 'string') return []
    return [{ name, namespace, kind: type, schema: json(tool['parameters']) }]
  })
}

function choiceOf(choice: unknown): Ask['choice'] {
  if (choice === 'none' || choice === 'required') return choice
  return isObject(choice) && typeof choice['name'] === 'string' ? { name: choice['name'] } : 'auto'
}

function formatOf(text: unknown): Ask['json'] {
  const format = isObject(text) ? text['format'] : undefined
  if (!isObject(format) || format['type'] === 'text') return null
  return { schema: json(format['schema']) }
}
