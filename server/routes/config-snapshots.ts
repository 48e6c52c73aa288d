import { Elysia } from 'elysia'
import type { JsonObject } from '../../lib/base/mod.ts'
import { readJsonBody } from '../call.ts'
import { fieldsOf, nameIn, parsed } from './config-shapes.ts'

/** One call of the config API: who calls, and the operations on their behalf. */
export interface ConfigCaller {
  readonly run: (name: string, input: JsonObject) => Promise<JsonObject>
  /** The etag that the caller insists on. */
  readonly etag: string | undefined
}

/** `/config/profiles…`: the snapshots of the configuration, which that API calls profiles. */
export function configSnapshots(
  enter: (request: Request) => Promise<ConfigCaller>,
  hook: (summary: string) => object,
) {
  return new Elysia({ name: 'config-snapshots' })
    .get('/config/profiles', async ({ request }) => {
      const { run } = await enter(request)
      const { data } = await run('config.snapshots', {}) as { data: { name: string; active: boolean }[] }
      return Response.json({
        profiles: data,
        active: data.find(({ active }) => active)?.name ?? null,
      })
    }, hook('List the snapshots of the configuration'))
    .post('/config/profiles', async ({ request }) => {
      const { run } = await enter(request)
      const { name, replace = false } = fieldsOf(await readJsonBody(request))
      const { etag } = await run('config.save', { name: nameIn(name), replace })
      return Response.json({ status: 'ok', name, etag })
    }, hook('Save a snapshot of the configuration'))
    .post('/config/profiles/import', async ({ request }) => {
      const { run } = await enter(request)
      const { name, content, replace = false } = fieldsOf(await readJsonBody(request))
      const document = typeof content === 'string' ? parsed(content) : content ?? null
      const { etag } = await run('config.import', { name: nameIn(name), document, replace })
      return Response.json({ status: 'ok', name, etag })
    }, hook('Save a document as a snapshot'))
    .get('/config/profiles/export/:name', async ({ request, params }) => {
      const { run } = await enter(request)
      const { name, document, etag } = await run('config.export', { name: nameIn(params.name) })
      return Response.json({ name, content: document, etag })
    }, hook('Show a snapshot without secrets'))
    .post('/config/profiles/:name/activate', async ({ request, params }) => {
      const { run, etag } = await enter(request)
      await readJsonBody(request)
      const done = await run('config.restore', { name: nameIn(params.name), ...(etag ? { etag } : {}) })
      return Response.json({ status: 'ok', activated: nameIn(params.name), changed: done.changed })
    }, hook('Put a snapshot in force'))
    .delete('/config/profiles/:name', async ({ request, params }) => {
      const { run } = await enter(request)
      const { forgotten } = await run('config.forget', { name: nameIn(params.name) })
      return Response.json({ status: 'ok', deleted: forgotten })
    }, hook('Delete a snapshot'))
}
