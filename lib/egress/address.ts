/** What an address is for, as far as gw may go there. `null` is an ordinary public address. */
export type AddressClass =
  | 'loopback_ip'
  | 'private_ip'
  | 'link_local_ip'
  | 'cgnat_ip'
  | 'benchmark_ip'
  | 'multicast_ip'
  | 'unspecified_ip'
  | 'reserved_ip'

/** An address as its bytes: 4 or 16. */
export type AddressBytes = Uint8Array

/** The bytes of a dotted IPv4 or textual IPv6 address (brackets and zone allowed), or `null` when the text is neither. */
export function parseAddress(text: string): AddressBytes | null {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text
  if (bare.includes(':')) return parseV6(bare.replace(/%[^%]*$/, ''))
  return parseV4(bare)
}

/** Strict dotted quads only: other spellings are turned into these by the URL parser, or are names. */
function parseV4(text: string): AddressBytes | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (!match) return null
  const bytes = match.slice(1).map(Number)
  return bytes.every((byte) => byte <= 255) ? new Uint8Array(bytes) : null
}

function parseV6(text: string): AddressBytes | null {
  let rest = text
  const tail: number[] = []
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(rest)
  if (dotted) {
    const v4 = parseV4(dotted[2]!)
    if (!v4) return null
    tail.push((v4[0]! << 8) | v4[1]!, (v4[2]! << 8) | v4[3]!)
    rest = dotted[1]!.endsWith('::') ? dotted[1]! : dotted[1]!.slice(0, -1)
  }
  const halves = rest.split('::')
  if (halves.length > 2) return null
  const groups = (half: string): number[] | null => {
    if (half === '') return []
    const parts = half.split(':')
    return parts.every((part) => /^[0-9a-fA-F]{1,4}$/.test(part)) ? parts.map((part) => parseInt(part, 16)) : null
  }
  const head = groups(halves[0]!)
  const end = halves.length === 2 ? groups(halves[1]!) : []
  if (!head || !end) return null
  end.push(...tail)
  const missing = 8 - head.length - end.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null
  const words = [...head, ...new Array<number>(missing).fill(0), ...end]
  return new Uint8Array(words.flatMap((word) => [word >> 8, word & 255]))
}

/** A block of addresses. */
export interface Cidr {
  readonly bytes: AddressBytes
  readonly bits: number
}

/** Parses `10.0.0.0/8` or a single address; `null` when it is neither. */
export function parseCidr(text: string): Cidr | null {
  const [address, length, more] = text.trim().split('/')
  const bytes = parseAddress(address ?? '')
  if (!bytes || more !== undefined) return null
  const bits = length === undefined ? bytes.length * 8 : /^\d{1,3}$/.test(length) ? Number(length) : -1
  return bits >= 0 && bits <= bytes.length * 8 ? { bytes, bits } : null
}

/** Whether an address lies in a block of its own family. */
export function inCidr(address: AddressBytes, { bytes, bits }: Cidr): boolean {
  if (address.length !== bytes.length) return false
  const whole = bits >> 3
  for (let i = 0; i < whole; i++) if (address[i] !== bytes[i]) return false
  const rest = bits & 7
  return rest === 0 || (address[whole]! ^ bytes[whole]!) >> (8 - rest) === 0
}

const blocks = (list: readonly (readonly [string, AddressClass])[]) =>
  list.map(([text, kind]) => ({ cidr: parseCidr(text)!, kind }))

/** Special-purpose IPv4 blocks. @see https://www.iana.org/assignments/iana-ipv4-special-registry */
const v4Blocks = () =>
  blocks([
    ['0.0.0.0/8', 'unspecified_ip'],
    ['10.0.0.0/8', 'private_ip'],
    ['100.64.0.0/10', 'cgnat_ip'],
    ['127.0.0.0/8', 'loopback_ip'],
    ['169.254.0.0/16', 'link_local_ip'],
    ['172.16.0.0/12', 'private_ip'],
    ['192.0.0.0/24', 'reserved_ip'],
    ['192.0.2.0/24', 'reserved_ip'],
    ['192.88.99.0/24', 'reserved_ip'],
    ['192.168.0.0/16', 'private_ip'],
    ['198.18.0.0/15', 'benchmark_ip'],
    ['198.51.100.0/24', 'reserved_ip'],
    ['203.0.113.0/24', 'reserved_ip'],
    ['224.0.0.0/4', 'multicast_ip'],
    ['240.0.0.0/4', 'reserved_ip'],
  ])

/** Special-purpose IPv6 blocks. @see https://www.iana.org/assignments/iana-ipv6-special-registry */
const v6Blocks = () =>
  blocks([
    ['::1/128', 'loopback_ip'],
    ['::/128', 'unspecified_ip'],
    ['fe80::/10', 'link_local_ip'],
    ['fec0::/10', 'private_ip'],
    ['fc00::/7', 'private_ip'],
    ['ff00::/8', 'multicast_ip'],
    ['100::/64', 'reserved_ip'],
    // Teredo hides an IPv4 address by inverting it.
    ['2001::/32', 'reserved_ip'],
    ['2001:2::/48', 'benchmark_ip'],
    ['2001:db8::/32', 'reserved_ip'],
    ['3fff::/20', 'reserved_ip'],
    ['5f00::/16', 'reserved_ip'],
  ])

/** Where an IPv6 address carries an IPv4 one: the block, and the byte at which the inner address begins. */
const embeddings = () =>
  ([
    ['::ffff:0:0/96', 12],
    ['::ffff:0:0:0/96', 12],
    ['::/96', 12],
    ['64:ff9b::/96', 12],
    ['64:ff9b:1::/48', 12],
    ['2002::/16', 2],
  ] as const).map(([text, at]) => ({ cidr: parseCidr(text)!, at }))

/** Tells addresses apart; made once, because its tables are parsed. */
export interface AddressTable {
  /** The class of an address, looking through every way to carry IPv4 inside IPv6. `null` is public. */
  classify(address: AddressBytes): AddressClass | null
  /** The IPv4 address that an IPv6 one stands for, or the address itself. */
  inner(address: AddressBytes): AddressBytes
}

/** An {@link AddressTable}. */
export function addressTable(): AddressTable {
  const [v4, v6, carriers] = [v4Blocks(), v6Blocks(), embeddings()]
  function inner(address: AddressBytes): AddressBytes {
    if (address.length === 4) return address
    const carrier = carriers.find(({ cidr }) => inCidr(address, cidr))
    return carrier ? address.slice(carrier.at, carrier.at + 4) : address
  }
  return {
    inner,
    classify(address) {
      if (address.length === 4) return v4.find(({ cidr }) => inCidr(address, cidr))?.kind ?? null
      const own = v6.find(({ cidr }) => inCidr(address, cidr))?.kind
      if (own) return own
      const carried = inner(address)
      if (carried !== address) return v4.find(({ cidr }) => inCidr(carried, cidr))?.kind ?? null
      // What is not global unicast is not assigned to anybody.
      return (address[0]! & 0xe0) === 0x20 ? null : 'reserved_ip'
    },
  }
}
