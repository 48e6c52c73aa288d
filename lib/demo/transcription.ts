import type { Frame } from './pace.ts'
import { Refusal } from './refusal.ts'
import { countTokens, pieces } from './tokens.ts'

/** A second of speech-quality audio, as a rough measure of length. */
const bytesPerSecond = 16_000

/** The answer to a transcription form: a finished response, or the events of a stream when one was asked for. */
export function transcribe(form: FormData): Response | Iterable<Frame> {
  const file = form.get('file')
  if (!(file instanceof Blob)) throw new Refusal(400, `missing required parameter: 'file'`, { param: 'file' })
  const name = 'name' in file && typeof file.name === 'string' ? file.name : 'audio'
  const seconds = Math.max(1, Math.round(file.size / bytesPerSecond))
  const text = `This is what the demo upstream heard in ${name}: ${file.size} bytes of sound.`
  const inputTokens = seconds * 10
  const outputTokens = countTokens(text)
  const usage = {
    type: 'tokens',
    input_tokens: inputTokens,
    input_token_details: { audio_tokens: inputTokens, text_tokens: 0 },
    output_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
  }
  if (form.get('stream') === 'true') return transcriptEvents(text, usage)
  const format = form.get('response_format') ?? 'json'
  const plain = (body: string): Response => new Response(body, { headers: { 'content-type': 'text/plain' } })
  switch (format) {
    case 'json':
      return Response.json({ text, usage })
    case 'text':
      return plain(`${text}\n`)
    case 'srt':
      return plain(`1\n${stamp(0, ',')} --> ${stamp(seconds, ',')}\n${text}\n\n`)
    case 'vtt':
      return plain(`WEBVTT\n\n${stamp(0, '.')} --> ${stamp(seconds, '.')}\n${text}\n\n`)
    case 'verbose_json':
      return Response.json({
        task: 'transcribe',
        language: 'english',
        duration: seconds,
        text,
        segments: [{ id: 0, seek: 0, start: 0, end: seconds, text, tokens: [], temperature: 0 }],
        usage: { type: 'duration', seconds },
      })
    default:
      throw new Refusal(400, `'response_format' must be json, text, srt, vtt or verbose_json`, {
        param: 'response_format',
      })
  }
}

function* transcriptEvents(text: string, usage: unknown): Iterable<Frame> {
  for (const delta of pieces(text)) {
    const type = 'transcript.text.delta'
    yield { event: type, data: { type, delta, logprobs: [] }, generated: true }
  }
  const type = 'transcript.text.done'
  yield { event: type, data: { type, text, logprobs: [], usage } }
}

function stamp(seconds: number, point: string): string {
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}${point}000`
}
