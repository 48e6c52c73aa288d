import { expect, test } from 'bun:test'
import { listen, silentRoutes, wrongWith } from '../../bench/parts/silence.ts'
import { openLine, token } from '../lib/gateway/harness.ts'
import { surfaces } from '../lib/routing/surfaces.ts'

// `bun bench/silence.ts` walks the same way with a minute of silence and the limits as they are shipped.

for (const surface of surfaces) {
  test(
    `${surface.protocol}: the official client outlives two routes that fall silent and are then overloaded`,
    async () => {
      const upstreams = await silentRoutes(surface, 400)
      const line = await openLine({
        urls: upstreams.map(({ url }) => surface.protocol === 'anthropic-messages' ? url : `${url}/v1`),
        protocol: surface.protocol,
        limits: { openAfterMs: 60, keepAliveMs: 60 },
      })
      const server = Bun.serve({
        port: 0,
        hostname: '127.0.0.1',
        idleTimeout: 0,
        fetch: (request) => line.door.fetch(request, { address: '127.0.0.1', loopback: true })!,
      })
      try {
        const heard = await listen(surface, { url: `http://127.0.0.1:${server.port}`, token, model: 'm' })
        expect(wrongWith(heard, upstreams), JSON.stringify(heard)).toBeNull()
        expect([heard.status, heard.keepAlives > 2, heard.longestPauseMs < 400]).toEqual([200, true, true])
        expect(line.observed.filter((text) => text.startsWith('failed'))).toEqual(
          ['failed a0 overloaded', 'failed a1 overloaded'].map((text) =>
            surface.protocol === 'anthropic-messages' ? text : text.replace('overloaded', 'server_error')
          ),
        )
      } finally {
        await server.stop(true)
        await Promise.all(upstreams.map((upstream) => upstream.close()))
        line.close()
      }
    },
    20_000,
  )
}
