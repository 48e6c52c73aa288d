import { type GwError, isGwError } from '../../lib/base/mod.ts'

/** The error of gw that work ends in; a bug it ends in is thrown on, and work that ends well is one too. */
export async function failure(work: Promise<unknown>): Promise<GwError> {
  try {
    await work
  } catch (error) {
    if (isGwError(error)) return error
    throw error
  }
  throw new Error('did not fail')
}
