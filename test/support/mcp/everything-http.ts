import { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'

/*
 * The reference server over HTTP, on a free port of the loopback address: by itself it listens on every address there is.
 * Its address is the first line on standard output.
 */
const program = join(
  resolve(import.meta.dir, '../../..'),
  'node_modules/@modelcontextprotocol/server-everything/dist/index.js',
)
const listen = Server.prototype.listen
Server.prototype.listen = function (this: Server, ..._given: unknown[]): Server {
  return listen.call(this, { host: '127.0.0.1', port: 0 }, () => {
    const { address, port } = this.address() as AddressInfo
    process.stdout.write(`http://${address}:${port}/mcp\n`)
  })
} as typeof listen
console.log = () => {}
process.argv.splice(2, Infinity, 'streamableHttp')
await import(program)
