import type { Target } from '../targets/target.ts'

/** What a caller saw of a stream whose upstream said nothing for long. */
export interface Quiet {
  readonly minutes: number
  /** Pieces that came between the first content and the end. */
  readonly keepAlives: number
  /** Longest time without a byte, seconds. */
  readonly longestPause: number
  /** Whether the protocol's own end came. */
  readonly ended: boolean
}

/** Holds one stream through a target while its upstream is silent for `minutes`, and says what came. */
export async function quiet(target: Target, minutes: number, say: (line: string) => void): Promise<Quiet> {
  const response = await fetch(`http://127.0.0.1:${target.port}/v1/chat/completions`, {
    method: 'POST',
    headers: { ...target.headers, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: `${target.prefix}bench-pace-${minutes * 60_000}-1`,
      stream: true,
      messages: [{ role: 'user', content: 'be quiet' }],
    }),
  })
  let keepAlives = 0
  let longest = 0
  let lastAt = performance.now()
  let text = ''
  const decoder = new TextDecoder()
  for await (const piece of response.body!) {
    const now = performance.now()
    longest = Math.max(longest, now - lastAt)
    lastAt = now
    const said = decoder.decode(piece, { stream: true })
    if (!said.includes('fox') && !said.includes('[DONE]')) keepAlives++
    text = (text + said).slice(-200)
  }
  const seen = { minutes, keepAlives, longestPause: longest / 1000, ended: text.includes('[DONE]') }
  say(
    `Quiet for ${minutes} min: ${keepAlives} pieces in between, longest pause ${seen.longestPause.toFixed(1)} s, ` +
      (seen.ended ? 'the end came' : 'THE END DID NOT COME'),
  )
  return seen
}
