import { GwError } from '../../base/mod.ts'

const placeholder = /\{\{([^{}]*)\}\}/g
const nameShape = /^[A-Za-z0-9_]+$/
/** Unreserved characters of a URL: nothing that could change which host or path is asked. */
const safeValue = /^[A-Za-z0-9._~-]+$/

/** What is wrong with the placeholders of a text, or `null`. */
export function templateProblem(text: string): string | null {
  const rest = text.replace(placeholder, (whole, name: string) => nameShape.test(name) ? '' : whole)
  if (rest.includes('{{') || rest.includes('}}')) return 'holds a malformed {{NAME}} placeholder'
  return null
}

/**
 * A probe URL with its placeholders filled from the environment.
 *
 * @throws GwError `config.invalid` when a variable is missing or holds anything but unreserved URL characters: a fault of
 * the set-up, which never changes what is believed about the account
 */
export function fillTemplate(text: string, env: Readonly<Record<string, string | undefined>>): string {
  return text.replace(placeholder, (_, name: string) => {
    const value = env[name]
    if (!value) {
      throw new GwError('config.invalid', `the probe needs the environment variable ${name}`, { hint: `set ${name}` })
    }
    if (!safeValue.test(value)) {
      throw new GwError(
        'config.invalid',
        `the environment variable ${name} holds characters a probe URL may not take`,
        {
          hint: 'only letters, digits and - . _ ~ are allowed',
        },
      )
    }
    return value
  })
}

/** A probe URL whose whole value is one placeholder takes a whole URL, which must be plain http(s) without user info. */
export function fillUrl(template: string, env: Readonly<Record<string, string | undefined>>): string {
  const whole = /^\{\{([A-Za-z0-9_]+)\}\}$/.exec(template)
  if (!whole) return fillTemplate(template, env)
  const name = whole[1]!
  const value = env[name]
  if (!value) {
    throw new GwError('config.invalid', `the probe needs the environment variable ${name}`, { hint: `set ${name}` })
  }
  const url = URL.canParse(value) ? new URL(value) : null
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.username || url.password) {
    throw new GwError('config.invalid', `the environment variable ${name} is not a plain http(s) URL`)
  }
  return url.href
}
