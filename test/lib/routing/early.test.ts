import { expect, test } from 'bun:test'
import { keysOf } from '../../../lib/liveness/mod.ts'
import { fakeUpstream } from '../../support/fake-upstream.ts'
import { startGateway } from '../../support/gateway.ts'
import { ask, env, pool, said, surfaces, well, why } from './surfaces.ts'

test(
  'an account that opens a stream and falls silent is replaced after gw has opened it: one answer, and an honest receipt',
  async () => {
    await Promise.all(surfaces.map(async (surface) => {
      const seen = Promise.withResolvers<void>()
      await using one = await fakeUpstream(async (exchange) => {
        await exchange.sse()
        const [[name, opening], [broken, error]] = surface.broken as [
          [string | undefined, unknown],
          [string | undefined, unknown],
        ]
        await exchange.event(opening, name)
        // Silent until the caller has got gw's own opening: then it says that it cannot serve.
        await seen.promise
        await exchange.event(error, broken)
        await exchange.end()
      })
      await using two = await fakeUpstream(well(surface))
      await using three = await fakeUpstream(well(surface))
      await using gw = await startGateway({ settings: pool([one.url, two.url, three.url], surface.protocol), env })
      const reply = await ask(gw, surface, { stream: true })
      // The head is here though nobody has answered: it can name no target.
      expect([reply.status, reply.headers.get('x-gw-target')]).toEqual([200, null])
      const reader = reply.body!.getReader()
      const decoder = new TextDecoder()
      let text = decoder.decode((await reader.read()).value)
      seen.resolve()
      for (let part = await reader.read(); !part.done; part = await reader.read()) text += decoder.decode(part.value)
      expect([surface.path, text.split(said).length > 1, text.includes('"error":{')]).toEqual([
        surface.path,
        true,
        false,
      ])
      const starts = {
        'openai-chat': '"role":"assistant"',
        'openai-responses': 'event: response.created',
        'anthropic-messages': 'event: message_start',
      }
      expect([surface.path, text.split(starts[surface.protocol]).length - 1]).toEqual([surface.path, 1])

      const told = await why(gw, reply)
      expect([told.outcome, told.attempts.map(({ target }) => target)]).toEqual(['ok', [
        'red:one#chat',
        'blue:three#chat',
      ]])
      expect([told.attempts[0]!.failure === null, told.attempts[1]!.failure]).toEqual([false, null])
      // A provider that errs is left for another one. The session lives where it was answered, and that target is not blamed for the five seconds of the first.
      const again = await ask(gw, surface, { stream: true })
      expect(again.headers.get('x-gw-target')).toBe('blue:three#chat')
      expect(again.headers.get('x-gw-cache')).toBe('warm')
      await again.text()
      const { model } = keysOf({ provider: 'blue', account: 'three' as never, capability: 'chat', model: 'm' })
      expect(gw.gateway.rooms.board.get(model)!.latencyMs!).toBeLessThan(3_000)
    }))
  },
  60_000,
)
