// The least a Bun gateway can be: buffer the request, copy the headers, hand the answer on as it comes.
const [listen, upstream] = process.argv.slice(2).map(Number)

Bun.serve({
  port: listen!,
  hostname: '127.0.0.1',
  idleTimeout: 0,
  development: false,
  async fetch(request) {
    const url = new URL(request.url)
    const headers = new Headers(request.headers)
    headers.delete('host')
    const reply = await fetch(`http://127.0.0.1:${upstream}${url.pathname}`, {
      method: request.method,
      headers,
      ...(request.method === 'POST' ? { body: await request.text() } : {}),
      signal: request.signal,
    })
    return new Response(reply.body, { status: reply.status, headers: reply.headers })
  },
})

process.on('unhandledRejection', () => {})
