import { type InferenceEvent, opened, type OpenEvent, type PartHead } from './event.ts'
import { upstreamFailure } from './failure.ts'
import { type CustomUnwrapper, customUnwrapper, type ToolIds, type ToolNames } from './tools.ts'

/** Turns the events of an answer back into what the caller asked about: its tools, its ids. */
export interface Restorer {
  /** Adds the restored form of an event to `out`. */
  push(event: InferenceEvent, out: InferenceEvent[]): void
  /** Whether the words of a part, which is open and has some, go on as they are. */
  passes(part: number): boolean
  /** Whether the model has said anything that the caller can see. */
  readonly hasContent: boolean
}

interface Draft {
  head: PartHead
  readonly choice: number
  opened: boolean
  said: boolean
  unwrapper: CustomUnwrapper | null
}

/**
 * The stage between reading an answer and writing it, the same for all pairs:
 *
 * - tool names and call ids become the caller's again, and text inside JSON arguments becomes a custom tool's input;
 * - a text that stays empty never opens, so that a tool-only answer holds tools only;
 * - repair `empty-arguments`: a call without arguments has `{}`;
 * - repair `empty-completion`: a normal end with nothing before it, not even a counted token, is an `empty` failure, which
 *   another target may heal. A turn that a model ends without a word, as some do after a tool result, counts tokens;
 * - of the answers to choose from, those go on that the caller asked for.
 */
export function createRestorer(names: ToolNames, ids: ToolIds, choices = 1): Restorer {
  const drafts: (Draft | undefined)[] = []
  let hasContent = false
  let outputTokens: number | null = null

  function openNow(part: number, draft: Draft, out: InferenceEvent[]): void {
    if (draft.opened) return
    draft.opened = true
    hasContent = true
    const { head, choice } = draft
    out.push(opened(part, head, choice))
  }
  function open({ part, head, choice = 0 }: OpenEvent, out: InferenceEvent[]): void {
    if (choice >= choices) return
    const draft: Draft = { head, choice, opened: false, said: false, unwrapper: null }
    drafts[part] = draft
    if (head.type === 'text' || head.type === 'refusal' || head.type === 'reasoning') return
    if (head.type === 'tool-call') {
      // repair `undeclared-tool`: found regardless of case and prefix; what is not found stays the model's word.
      const known = head.namespace === null ? names.find(head.name) : null
      const wrapped = head.kind === 'function' && known?.kind === 'custom'
      if (wrapped) draft.unwrapper = customUnwrapper()
      const id = ids.short(ids.long(head.id))
      draft.head = known === null
        ? { ...head, id: ids.long(head.id) }
        : { type: 'tool-call', id: ids.long(id), name: known.name, namespace: known.namespace, kind: known.kind }
    }
    openNow(part, draft, out)
  }

  return {
    push(event, out) {
      switch (event.type) {
        case 'open':
          return open(event, out)
        case 'delta': {
          const draft = drafts[event.part]
          if (draft === undefined || event.text === '') return
          const text = draft.unwrapper === null ? event.text : draft.unwrapper.push(event.text)
          if (text === '') return
          openNow(event.part, draft, out)
          draft.said = true
          out.push(draft.unwrapper === null ? event : { type: 'delta', part: event.part, text })
          return
        }
        case 'close': {
          const draft = drafts[event.part]
          if (draft === undefined) return
          drafts[event.part] = undefined
          if (draft.head.type === 'reasoning' && event.proof) openNow(event.part, draft, out)
          const rest = draft.unwrapper?.end() ?? ''
          if (rest !== '') out.push({ type: 'delta', part: event.part, text: rest })
          else if (!draft.said && draft.head.type === 'tool-call' && draft.head.kind !== 'custom') {
            out.push({ type: 'delta', part: event.part, text: '{}' })
          }
          if (draft.opened) out.push(event)
          return
        }
        case 'ended':
          if (event.choice < choices) out.push(event)
          return
        case 'usage':
          outputTokens = event.tokens.outputTokens ?? outputTokens
          out.push(event)
          return
        case 'finish':
          if (event.reason === 'stop' && !hasContent && !outputTokens) {
            out.push({ type: 'failure', failure: upstreamFailure('empty', 'the answer ended with nothing in it') })
          } else out.push(event)
          return
        default:
          out.push(event)
      }
    },
    passes(part) {
      const draft = drafts[part]
      return draft?.said === true && draft.unwrapper === null
    },
    get hasContent() {
      return hasContent
    },
  }
}
