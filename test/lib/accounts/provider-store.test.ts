import { expect, test } from 'bun:test'
import { fakeUpstream, type Step } from '../../support/fake-upstream.ts'
import { startGateway } from '../../support/gateway.ts'

const whole: Step = (exchange) =>
  exchange.request.path.endsWith('/models') ? exchange.json({ object: 'list', data: [] }) : exchange.json({
    ...{ id: 'c', object: 'chat.completion', created: 1, model: 'small' },
    choices: [{ index: 0, message: { role: 'assistant', content: 'all is well' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 1, completion_tokens: 3, total_tokens: 4 },
  })

test('a provider of one’s own by HTTP: kept, shown without its key, used, switched off, removed', async () => {
  await using upstream = await fakeUpstream(whole)
  await using gw = await startGateway({
    env: { HOUSE_KEY: 'sk-from-env', EMPTY_KEY: '' },
    settings: { 'egress.allow_origins': [upstream.url] },
  })
  const api = async (method: string, path: string, body?: unknown) => {
    const reply = await fetch(`${gw.url}/api/providers${path}`, {
      method,
      headers: { authorization: `Bearer ${gw.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: reply.status, text: await reply.text() }
  }
  const chat = async (model: string) => {
    const reply = await fetch(`${gw.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${gw.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }] }),
    })
    return { status: reply.status, text: await reply.text() }
  }
  const record = {
    ...{ name: 'house', kind: 'litellm', base_url: `${upstream.url}/v1/`, default_model: 'small', models: ['large'] },
    api_key: 'sk-canary-of-the-house',
  }
  const added = await api('POST', '', record)
  expect([added.status, added.text]).toEqual([200, expect.stringContaining('"has_encrypted_api_key":true')])
  const seen = [added.text, (await api('GET', '')).text, (await api('GET', '/house')).text]
  for (const text of seen) {
    expect(text).not.toContain('canary')
    expect(text).toContain(`"base_url":"${upstream.url}/v1"`)
  }
  // Its key and its models count at once; the caller's own token stays here.
  for (const model of ['house/large', 'house/small', 'large']) {
    expect([model, (await chat(model)).status]).toEqual([model, 200])
  }
  const last = () => upstream.requests.findLast(({ path }) => path.endsWith('/chat/completions'))!
  expect(last().headers.get('authorization')).toBe('Bearer sk-canary-of-the-house')
  expect([...last().headers.values()].join()).not.toContain('la_sk_')
  const models = await fetch(`${gw.url}/v1/models`, { headers: { authorization: `Bearer ${gw.token}` } })
  const listed = await models.json() as { data: { id: string; owned_by: string }[] }
  expect(listed.data.filter(({ id }) => id === 'house/large').map(({ owned_by }) => owned_by)).toEqual(['house'])
  // A variable is read first, and a record may be written over.
  expect((await api('POST', '', { ...record, api_key: undefined, api_key_env: 'HOUSE_KEY' })).status).toBe(200)
  expect((await chat('house/large')).status).toBe(200)
  expect(last().headers.get('authorization')).toBe('Bearer sk-from-env')
  // Both sent, both kept: the variable is asked first, and the key where it is not set. Without either, nothing is sent.
  for (
    const [variable, key, authorization] of [
      ['HOUSE_KEY', 'sk-canary-beside-it', 'Bearer sk-from-env'],
      ['EMPTY_KEY', 'sk-canary-beside-it', 'Bearer sk-canary-beside-it'],
      ['ABSENT_KEY', 'sk-canary-beside-it', 'Bearer sk-canary-beside-it'],
      ['ABSENT_KEY', undefined, undefined],
    ] as const
  ) {
    const both = await api('POST', '', { ...record, api_key: key, api_key_env: variable })
    expect(both.status).toBe(200)
    expect(JSON.parse(both.text)).toMatchObject({ api_key_env: variable, has_encrypted_api_key: key !== undefined })
    expect(both.text).not.toContain('canary')
    expect([variable, (await chat('house/large')).status]).toEqual([variable, 200])
    expect([variable, last().headers.get('authorization')]).toEqual([variable, authorization])
  }
  // A later record without either keeps what is there.
  expect((await api('POST', '', { ...record, api_key_env: 'ABSENT_KEY' })).status).toBe(200)
  expect((await api('POST', '', { ...record, api_key: undefined, default_model: 'large' })).status).toBe(200)
  expect((await chat('house/large')).status).toBe(200)
  expect(last().headers.get('authorization')).toBe('Bearer sk-canary-of-the-house')
  expect(await api('POST', '', { ...record, enabled: false })).toMatchObject({ status: 200 })
  expect((await chat('house/large')).status).toBe(404)
  // A server that wants no key gets none.
  expect((await api('POST', '', { name: 'open', base_url: `${upstream.url}/v1`, models: ['m'] })).status).toBe(200)
  expect((await chat('open/m')).status).toBe(200)
  expect(last().headers.has('authorization')).toBe(false)
  for (const bad of ['no good', 'a/b', '']) expect((await api('POST', '', { ...record, name: bad })).status).toBe(400)
  expect((await api('POST', '', { ...record, kind: 'anthropic' })).status).toBe(400)
  expect((await api('DELETE', '/house')).status).toBe(200)
  expect((await api('GET', '/house')).status).toBe(404)
})
