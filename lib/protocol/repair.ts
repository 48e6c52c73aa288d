import type { Ledger } from './ledger.ts'
import type { Message, Part, ToolCallPart, ToolResultPart } from './request.ts'

/**
 * Every repair of what weak upstreams and callers send, by name. Each is done in one place and tested under its name.
 *
 * Repairs of answers cost nothing that the upstream said. Repairs of requests are listed as losses, so `strict` refuses
 * them with the path.
 *
 * @internal
 */
export const repairs = {
  'orphan-call': 'a call without a result gets an error result, placed right after it',
  'orphan-result': 'a result whose call is missing becomes a text of the user',
  'late-result': 'a result that does not follow its call directly is moved there',
  'missing-tool-id': 'a call without an id gets one',
  'missing-index': 'a call delta without an index belongs to its id, or to the call being written',
  'duplicate-index': 'another id and name under a used index is another call, or another item',
  'repeated-name': 'a name that comes again with each delta counts once',
  'missing-item': 'a delta for an item that was never added opens it',
  'items-at-the-end': 'output that stands only in the closing event is read from there',
  'missing-finish': 'an answer that ended without saying why ended normally',
  'finish-everywhere': 'a finish before the words, or with the first of them, ends nothing while words follow',
  'finish-mismatch': 'a normal stop although tools were called is a stop for the calls',
  'empty-arguments': 'a call without arguments has an empty object',
  'arguments-object': 'arguments that are an object instead of its JSON text are written as text',
  'empty-completion': 'a normal end with nothing before it is a failure that another target may heal',
  'undeclared-tool': 'a tool name in another case or with a prefix is the declared tool',
} as const satisfies Record<string, string>

/** The text that stands for a result nobody sent. */
const missingResult = 'no result was recorded for this call'

/**
 * The conversation with every call answered right after it, as most protocols demand.
 *
 * Nothing changes when that is so already, which the first pass finds out without copying.
 */
export function repairCalls(messages: readonly Message[], ledger: Ledger): readonly Message[] {
  return inOrder(messages) ? messages : reorder(messages, ledger)
}

function inOrder(messages: readonly Message[]): boolean {
  const open = new Set<string>()
  let calling = false
  for (const { parts } of messages) {
    let worded = false
    for (const part of parts) {
      switch (part.type) {
        case 'tool-call':
          if (!calling && open.size > 0) return false
          calling = true
          open.add(part.id)
          break
        case 'tool-result':
          if (worded || !open.delete(part.callId)) return false
          calling = false
          break
        case 'additional-tools':
          break
        case 'reasoning':
        case 'native':
          if (!calling && open.size > 0) return false
          break
        default:
          worded = true
          // Words of the same answer may follow its calls; anything else comes after the results.
          if (open.size > 0 && !calling) return false
      }
    }
    if (calling && open.size > 0 && worded && !parts.some((part) => part.type === 'tool-call')) return false
  }
  return open.size === 0
}

interface Placed {
  readonly part: ToolResultPart
  readonly at: number
  used: boolean
}

function reorder(messages: readonly Message[], ledger: Ledger): Message[] {
  const results = new Map<string, Placed[]>()
  messages.forEach(({ parts }, at) => {
    for (const part of parts) {
      if (part.type !== 'tool-result') continue
      const list = results.get(part.callId)
      const placed = { part, at, used: false }
      if (list === undefined) results.set(part.callId, [placed])
      else list.push(placed)
    }
  })
  const moved = new Set<ToolResultPart>()
  const out: Message[] = []
  let pending: { call: ToolCallPart; at: number }[] = []

  function settle(next: number): void {
    if (pending.length === 0) return
    const parts: Part[] = []
    for (const { call, at } of pending) {
      const found = results.get(call.id)?.find((item) => !item.used && item.at >= at)
      if (found === undefined) {
        ledger.lose(call.path, 'the call has no result: an error result was added')
        parts.push(answerFor(call, ledger))
        continue
      }
      found.used = true
      moved.add(found.part)
      if (found.at > next) ledger.lose(found.part.path, 'moved to follow its call')
      parts.push(found.part)
    }
    pending = []
    out.push({ role: 'tool', path: parts[0]!.path, parts, plain: true })
  }

  messages.forEach((message, at) => {
    if (message.role !== 'assistant') settle(at)
    const parts = message.parts.flatMap((part): Part[] => {
      if (part.type === 'tool-call') {
        pending.push({ call: part, at })
        return [part]
      }
      if (part.type !== 'tool-result') return [part]
      if (moved.has(part)) return []
      ledger.lose(part.path, 'the result has no call: became text of the user')
      return [{ type: 'text', path: part.path, text: `Result of ${part.callId}:` }, ...part.content]
    })
    // A message of which nothing is left said all it had to say through its results.
    if (parts.length === 0 && message.parts.length > 0) return
    const role = message.role === 'tool' ? 'user' : message.role
    out.push({ ...message, role, parts })
  })
  settle(messages.length)
  return out
}

function answerFor(call: ToolCallPart, { target }: Ledger): ToolResultPart {
  return {
    type: 'tool-result',
    path: call.path,
    callId: call.id,
    kind: call.kind,
    content: [{ type: 'text', path: call.path, text: missingResult }],
    // OpenAI's protocols have no flag for it: there the words say it, and nothing of the caller's is lost.
    isError: !target.startsWith('openai'),
    plain: true,
  }
}
