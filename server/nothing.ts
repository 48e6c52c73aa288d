import { GwError } from '../lib/base/mod.ts'

/** The error for a path that leads nowhere. */
export const nothingAt = (path: string): GwError =>
  new GwError('request.not_found', `there is nothing at ${path.slice(0, 200)}`)
