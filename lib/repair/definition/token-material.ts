const tokenNames = ['access_token', 'refresh_token', 'id_token']

const marks = [
  ...tokenNames.map((name) => `${name}=`),
  'authorization=',
  'authorization:',
  'bearer ',
  'bearer%20',
  'bearer+',
  ...['access_token', 'refresh_token', 'id_token', 'authorization'].map((name) => `"${name}"`),
  ...tokenNames.map((name) => `{{${name}}}`),
  '{{api_key}}',
]

/**
 * The mark of token material that a text holds, or `null`.
 *
 * A probe is shown in reports and shared between people, so neither its URL nor its body nor its command may carry a
 * credential or the place of one. Searched without regard to case, in the text and in its percent-decoded form.
 */
export function tokenMaterial(text: string): string | null {
  const plain = text.toLowerCase()
  const decoded = decode(plain)
  // White space around a JSON key's quotes does not hide it.
  return marks.find((mark) => plain.includes(mark) || decoded.includes(mark)) ?? null
}

function decode(text: string): string {
  return text.replace(/%([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
