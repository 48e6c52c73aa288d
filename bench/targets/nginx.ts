import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answers, freePort, start } from '../rig/process.ts'
import type { Starter } from './target.ts'

/** nginx with one worker and kept-alive upstream connections, unbuffered as a stream needs it. */
export const nginx: Starter = async (mockPort) => {
  const program = Bun.which('nginx', { PATH: `${process.env['PATH']}:/usr/sbin` })
  if (program === null) return { skipped: 'nginx is not installed (Debian: apt-get install nginx-light)' }
  const port = freePort()
  const folder = mkdtempSync(join(tmpdir(), 'gw-bench-nginx-'))
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) =>
    `${kind}_temp_path ${folder}/${kind};`
  )
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log crit;
worker_rlimit_nofile 20000;
events { worker_connections 19900; }
http {
  access_log off; ${temp.join(' ')}
  keepalive_requests 1000000000;
  upstream mock { server 127.0.0.1:${mockPort}; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_read_timeout 15m; client_max_body_size 32m; client_body_buffer_size 64k;
    }
  }
}
`,
  )
  const running = start([program, '-p', folder, '-c', join(folder, 'nginx.conf')], { core: 0 })
  await answers(`http://127.0.0.1:${port}/__stats`, 5000, running)
  return {
    name: 'nginx',
    port,
    headers: { authorization: 'Bearer sk-bench' },
    prefix: '',
    running,
    async [Symbol.asyncDispose]() {
      await running.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
