import { z } from 'zod'
import { once } from '../../base/mod.ts'
import type { GrantIdentity } from './grant.ts'

/** A {@link GrantIdentity} as files and notes of this home hold it. */
export const identitySchema = once(() => {
  const text = z.string().nullable()
  return z.object(
    {
      email: text,
      accountId: text,
      userId: text,
      organizationId: text,
      organization: text,
      projectId: text,
      plan: text,
    } satisfies Record<keyof GrantIdentity, typeof text>,
  )
})
