/**
 * Where a person answers an approval in a browser: under the public address when there is one, else where this gateway
 * listens, else where it would.
 */
export function approvalPage(
  server: { readonly public_url?: string | undefined; readonly host: string; readonly port: number },
  listening: string | null,
  id: string,
): string {
  const every = ['0.0.0.0', '::', '[::]'].includes(server.host)
  const host = every ? '127.0.0.1' : server.host.includes(':') ? `[${server.host}]` : server.host
  const base = server.public_url ?? listening ?? `http://${host}:${server.port}`
  return `${base.replace(/\/+$/, '')}/approvals/${id}`
}
