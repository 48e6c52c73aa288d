const words = { '<=': 'at most', '<': 'less than', '>=': 'at least', '>': 'more than' } as const

/**
 * What a schema found wrong with a value, in words for people.
 *
 * @example issueText('Too big: expected number to be <=65535') // 'expected at most 65535'
 */
export function issueText(message: string): string {
  const size = /^Too (?:big|small): expected \w+ to (?:be|have) ([<>]=?)([-\d.]+)( \w+)?$/.exec(message)
  if (size) return `expected ${words[size[1] as '<']} ${size[2]}${size[3] ?? ''}`
  return message.replace(/^Invalid (?:input|option): /, '')
}
