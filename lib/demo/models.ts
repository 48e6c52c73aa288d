/** A model the demo upstream offers, and what it is good for trying out. */
export interface DemoModel {
  readonly id: string
  readonly capabilities: readonly ('chat' | 'embeddings' | 'transcription')[]
  readonly contextTokens: number
  readonly maxOutputTokens: number
  /** One line for a list. */
  readonly about: string
}

const chat = (id: string, about: string): DemoModel => ({
  id,
  capabilities: ['chat'],
  contextTokens: 200_000,
  maxOutputTokens: 32_000,
  about,
})

/**
 * The demo's models. Behind the first four stand the ones that misbehave on purpose, so that slow streams and failures
 * can be tried offline. A number in a name can be any other: `demo-error-401`, `demo-delay-1000`.
 */
export const demoModels: readonly DemoModel[] = [
  chat('demo-small', 'echoes and says a sentence; calls tools when asked to'),
  chat('demo-large', 'the same with more to say, and thinks when asked to'),
  { ...chat('demo-embed', 'vectors in which texts with common words lie close'), capabilities: ['embeddings'] },
  { ...chat('demo-transcribe', 'describes the audio it was given'), capabilities: ['transcription'] },
  chat('demo-slow', 'a quarter of a second between two pieces'),
  chat('demo-delay-250', 'that many milliseconds between two pieces'),
  chat('demo-wait-2000', 'that many milliseconds before the answer begins'),
  chat('demo-stall-20000', 'starts, then is silent for that many milliseconds, then goes on'),
  chat('demo-hang', 'accepts the request and never answers'),
  chat('demo-error-400', 'refuses the request'),
  chat('demo-error-401', 'refuses the credential'),
  chat('demo-error-429', 'is out of quota for two seconds'),
  chat('demo-error-500', 'fails'),
  chat('demo-error-529', 'is overloaded'),
  chat('demo-break', 'sends an error event in the middle of a stream'),
  chat('demo-cut', 'loses the connection in the middle of an answer'),
  chat('demo-garble', 'sends half an event in the middle of a stream, and goes on as if nothing were wrong'),
  chat('demo-twice', 'says its whole stream twice before it ends'),
  chat('demo-empty', 'finishes without having said anything'),
  chat('demo-refuse', 'declines to answer'),
]

/** How a model behaves, read from its name. */
export interface Behaviour {
  /** Milliseconds between two pieces; `null` is the upstream's own pace. */
  readonly delayMs: number | null
  /** Milliseconds before the first byte. */
  readonly waitMs: number
  /** Milliseconds of silence after the first piece. */
  readonly stallMs: number
  readonly hang: boolean
  /** Status of the error to answer with. */
  readonly error: number | null
  /**
   * How a stream is broken: it ends before its time, with an error event or with a lost connection, or it ends as if it
   * were whole, and half of an event or all of it once more stood in it.
   */
  readonly broken: 'event' | 'connection' | 'garbage' | 'twice' | null
  readonly says: 'answer' | 'nothing' | 'refusal'
}

const plain: Behaviour = {
  delayMs: null,
  waitMs: 0,
  stallMs: 0,
  hang: false,
  error: null,
  broken: null,
  says: 'answer',
}

/** Longest time a model's name can ask for: 15 minutes. */
const longestMs = 15 * 60_000

/** The behaviour that a model's name asks for, or `undefined` when the demo has no such model. */
export function behaviourOf(model: string): Behaviour | undefined {
  const [, kind, number] = /^demo-([a-z]+)(?:-(\d{1,7}))?$/.exec(model) ?? []
  const n = number === undefined ? undefined : Math.min(Number(number), longestMs)
  switch (kind) {
    case 'small':
    case 'large':
    case 'embed':
    case 'transcribe':
      return n === undefined ? plain : undefined
    case 'slow':
      return n === undefined ? { ...plain, delayMs: 250 } : undefined
    case 'delay':
      return n === undefined ? undefined : { ...plain, delayMs: n }
    case 'wait':
      return n === undefined ? undefined : { ...plain, waitMs: n }
    case 'stall':
      return n === undefined ? undefined : { ...plain, stallMs: n }
    case 'error':
      return n !== undefined && n >= 400 && n <= 599 ? { ...plain, error: n } : undefined
    case 'hang':
      return { ...plain, hang: true }
    case 'break':
      return { ...plain, broken: 'event' }
    case 'cut':
      return { ...plain, broken: 'connection' }
    case 'garble':
      return { ...plain, broken: 'garbage' }
    case 'twice':
      return { ...plain, broken: 'twice' }
    case 'empty':
      return { ...plain, says: 'nothing' }
    case 'refuse':
      return { ...plain, says: 'refusal' }
    default:
      return undefined
  }
}
