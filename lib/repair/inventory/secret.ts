import { z } from 'zod'
import { once } from '../../base/mod.ts'

/** Where the credential of an account is kept, by reference: nothing here is a secret value. */
export const secretBackendSchema = once(() => {
  const text = z.string().min(1, 'must not be empty')
  return z.discriminatedUnion('backend', [
    z.strictObject({ backend: z.literal('keychain'), service: text, account: text }),
    z.strictObject({ backend: z.literal('sops'), path: text, key_path: text.optional() }),
    z.strictObject({ backend: z.literal('age'), path: text, identity: text }),
    z.strictObject({ backend: z.literal('env'), variable: text }),
    z.strictObject({ backend: z.literal('file'), path: text }),
    z.strictObject({ backend: z.literal('command'), command: z.array(z.string()).min(1, 'must name a program') }),
    z.strictObject({ backend: z.literal('stdin') }),
  ])
})

/** A secret backend and what it needs. */
export type SecretBackend = z.output<ReturnType<typeof secretBackendSchema>>

/** The largest credential file that is read, bytes. */
export const maxSecretBytes = 4 * 1024 * 1024

/**
 * Where a secret is, for a report its owner asked to hold paths.
 *
 * Names and paths only: a command is its program and the number of its arguments, an age identity is whether there is
 * one.
 */
export function describeLocation(secret: SecretBackend): Readonly<Record<string, string | number | boolean>> {
  switch (secret.backend) {
    case 'keychain':
      return { service: secret.service, account: secret.account }
    case 'sops':
      return { path: secret.path, ...(secret.key_path ? { key_path_set: true } : {}) }
    case 'age':
      return { path: secret.path, identity_set: true }
    case 'env':
      return { variable: secret.variable }
    case 'file':
      return { path: secret.path }
    case 'command':
      return { program: secret.command[0] ?? '', arguments: secret.command.length - 1 }
    case 'stdin':
      return {}
  }
}
