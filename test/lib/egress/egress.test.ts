import { describe, expect, test } from 'bun:test'
import { type GwError, silentLogger } from '../../../lib/base/mod.ts'
import { manualClock } from '../../support/manual-clock.ts'
import { egressConfig } from '../../../lib/egress/config.ts'
import { createEgress, egressPolicy } from '../../../lib/egress/mod.ts'
import { addressTable, parseAddress } from '../../../lib/egress/address.ts'
import { decide } from '../../../lib/egress/policy.ts'
import type { DialRequest } from '../../../lib/platform/port.ts'
import { sourceOfBytes } from '../../support/source-of-bytes.ts'
import corpus from '../../fixtures/hostile/ssrf/cases.json' with { type: 'json' }

/** A way out that only takes notes. */
function open(
  config: unknown = {},
  resolve: (host: string) => Promise<readonly string[]> = () => Promise.resolve(['93.184.216.34']),
) {
  const dialled: DialRequest[] = []
  const clock = manualClock()
  const egress = createEgress({
    policy: egressPolicy(egressConfig.parse(config)),
    dialer: {
      dial(request) {
        dialled.push(request)
        const body = sourceOfBytes(new TextEncoder().encode('ok'))
        return { reply: Promise.resolve({ status: 200, headers: new Headers(), length: 2, body }), cancel() {} }
      },
      close() {},
    },
    clock,
    log: silentLogger,
    resolve,
  })
  return { egress, dialled, clock }
}

const refusal = (work: Promise<unknown>): Promise<GwError | null> => work.then(() => null, (error: GwError) => error)

describe('the SSRF corpus', () => {
  test('holds at least 60 address and URL forms', () => expect(corpus.urls.length).toBeGreaterThanOrEqual(60))

  for (const { url, reason } of corpus.urls) {
    test(`${url} is refused as ${reason}, and nothing is dialled`, async () => {
      const { egress, dialled } = open()
      const error = await refusal(egress.fetch(url))
      // A runtime may refuse to make a URL or a Request of it at all: then nothing can leave either.
      if (error?.code === 'egress.denied') expect(error.details?.['reason']).toBe(reason)
      else expect(error).toBeInstanceOf(Error)
      expect(decide({ url: new URL(url), local: false }, egressPolicy(egressConfig.parse({})), addressTable()))
        .toMatchObject({ allowed: false, reason })
      expect(dialled).toEqual([])
    })
  }

  for (const { host, addresses, reason } of corpus.names) {
    test(`${host}, which resolves to ${JSON.stringify(addresses)}, is refused as ${reason}`, async () => {
      const { egress, dialled } = open(
        {},
        () => addresses ? Promise.resolve(addresses) : Promise.reject(new Error('ENOTFOUND')),
      )
      const error = await refusal(egress.fetch(`https://${host}/`))
      expect([error?.code, error?.details?.['reason'], error?.details?.['phase']]).toEqual([
        // A name without an address is no forbidden place: nothing in the configuration would open it.
        addresses?.length ? 'egress.denied' : 'upstream.unreachable',
        reason,
        'resolved',
      ])
      expect(dialled).toEqual([])
    })
  }
})

test('the address that was judged is the one that is dialled, however often the name changes', async () => {
  let asked = 0
  const answers = [['93.184.216.34'], ['127.0.0.1'], ['127.0.0.1']]
  const { egress, dialled, clock } = open({}, () => Promise.resolve(answers[asked++]!))
  await egress.fetch('https://rebind.example/')
  await egress.fetch('https://rebind.example/')
  expect(dialled.map(({ addresses }) => addresses)).toEqual([['93.184.216.34'], ['93.184.216.34']])
  await clock.advance(31_000)
  expect((await refusal(egress.fetch('https://rebind.example/')))?.details?.['reason']).toBe('resolved_loopback_ip')
  expect(dialled.length).toBe(2)
})

test('a local provider may use loopback over http, and still no metadata service', async () => {
  const { egress, dialled } = open({}, () => Promise.resolve(['127.0.0.1']))
  await egress.fetch('http://127.0.0.1:11434/v1/models', { local: true })
  await egress.fetch('http://localhost:11434/v1/models', { local: true })
  expect(dialled.length).toBe(2)
  for (
    const url of ['http://169.254.169.254/', 'https://169.254.169.254/', 'http://192.168.1.5/', 'http://example.com/']
  ) {
    expect((await refusal(egress.fetch(url, { local: true })))?.code).toBe('egress.denied')
  }
})

test('an origin that its owner named exactly is open, its neighbours are not', async () => {
  const { egress } = open({ allow_origins: ['http://192.168.1.5:8000'] })
  expect((await egress.fetch('http://192.168.1.5:8000/v1')).status).toBe(200)
  for (const url of ['http://192.168.1.5:8001/', 'https://192.168.1.5:8000/', 'http://192.168.1.6:8000/']) {
    expect((await refusal(egress.fetch(url)))?.code).toBe('egress.denied')
  }
  expect(egressConfig.safeParse({ allow_origins: ['http://192.168.1.5:8000/path'] }).success).toBe(false)
  // Naming an origin does not open what nobody may reach.
  const metadata = open({ allow_origins: ['http://169.254.169.254'] })
  expect((await refusal(metadata.egress.fetch('http://169.254.169.254/')))?.details?.['reason']).toBe('denylisted_cidr')
})

test('observe lets pass and reports; off asks nothing', async () => {
  const observed = open({ mode: 'observe' })
  expect((await observed.egress.fetch('https://10.0.0.1/')).status).toBe(200)
  const off = open({ mode: 'off' }, () => Promise.reject(new Error('not asked')))
  expect((await off.egress.fetch('https://anything.example/')).status).toBe(200)
  expect(off.dialled[0]!.addresses).toBeNull()
})

test('without fail_closed a name that cannot be looked up is left to the connection', async () => {
  const { egress, dialled } = open({ fail_closed: false }, () => Promise.reject(new Error('EAI_AGAIN')))
  expect((await egress.fetch('https://example.com/')).status).toBe(200)
  expect(dialled[0]!.addresses).toBeNull()
})

test('check() says what the policy would, and a reload is felt at once', async () => {
  const { egress } = open()
  expect(await egress.check(new URL('https://10.0.0.1/'))).toMatchObject({ allowed: false, reason: 'private_ip' })
  expect(await egress.check(new URL('https://example.com/'))).toEqual({ allowed: true })
  egress.reload(egressPolicy(egressConfig.parse({ deny_hosts: ['example.com'] })))
  expect((await refusal(egress.fetch('https://example.com/')))?.details?.['reason']).toBe('denylisted_host')
})

test('fetch() bounds an answer in size', async () => {
  const { egress } = open()
  const reply = await egress.fetch('https://example.com/', { maxBytes: 1 })
  expect((await refusal(reply.text()))?.code).toBe('upstream.invalid')
})

for (
  const [text, bytes] of [
    ['1.2.3.4', [1, 2, 3, 4]],
    ['256.1.1.1', null],
    ['1.2.3', null],
    ['::', new Array(16).fill(0)],
    ['1::2', [0, 1, ...new Array(12).fill(0), 0, 2]],
    ['::ffff:1.2.3.4', [...new Array(10).fill(0), 255, 255, 1, 2, 3, 4]],
    ['1:2:3:4:5:6:7:8', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
    ['1:2:3:4:5:6:7', null],
    ['1::2::3', null],
    ['12345::', null],
    ['::ffff:1.2.3', null],
    ['fe80::1%eth0', [0xfe, 0x80, ...new Array(13).fill(0), 1]],
  ] as const
) {
  test(`parseAddress(${text}) is ${bytes ? 'an address' : 'none'}`, () => {
    const parsed = parseAddress(text)
    expect(parsed && [...parsed]).toEqual(bytes && [...bytes])
  })
}
