import { homedir } from 'node:os'
import { join } from 'node:path'
import { GwError, Secret } from '../../base/mod.ts'
import { readBounded } from '../../platform/mod.ts'
import { identityHash } from '../identity.ts'
import type { ReadSource } from './source.ts'

const recheckMs = 5_000

/**
 * AWS keys from the environment, or from a profile of the shared credentials file.
 *
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
 */
export const readAws: ReadSource<'aws'> = async (spec, { env, clock }) => {
  const profile = spec.profile ?? env.AWS_PROFILE ?? null
  const keys = profile === null
    ? {
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
      sessionToken: env.AWS_SESSION_TOKEN,
    }
    : await profileKeys(profile, env.AWS_SHARED_CREDENTIALS_FILE || join(env.HOME || homedir(), '.aws', 'credentials'))
  if (!keys.accessKeyId || !keys.secretAccessKey) {
    throw new GwError(
      'credential.unavailable',
      profile === null ? 'no AWS keys in the environment' : `AWS profile ${profile} has no keys`,
      {
        hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of the shared credentials file',
      },
    )
  }
  const { accessKeyId, secretAccessKey, sessionToken } = keys
  return {
    secret: new Secret(JSON.stringify({ accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) })),
    kind: 'aws',
    accountId: null,
    expiresAt: null,
    audience: [],
    identity: identityHash('aws', accessKeyId),
    freshUntil: clock.now() + recheckMs,
  }
}

async function profileKeys(profile: string, path: string): Promise<Record<string, string | undefined>> {
  const text = await readBounded(path)
  if (text === null) throw new GwError('credential.unavailable', `${path} does not exist`)
  const values: Record<string, string> = {}
  let inside = false
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim()
    const section = /^\[(?:profile\s+)?(.+)\]$/.exec(line)
    if (section) inside = section[1]!.trim() === profile
    const pair = inside && /^([a-z_]+)\s*=\s*(\S+)$/i.exec(line)
    if (pair) values[pair[1]!.toLowerCase()] = pair[2]!
  }
  return {
    accessKeyId: values.aws_access_key_id,
    secretAccessKey: values.aws_secret_access_key,
    sessionToken: values.aws_session_token,
  }
}
