/**
 * A value that is made by its first use and then kept: how the house puts off what a start does not need. A call that
 * throws keeps nothing, so the next one tries again.
 *
 * @example const schema = once(() => z.object({ id: z.string() })); schema().parse(value)
 * @example const pages = once(() => import('./pages.ts')); (await pages()).render()
 */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null
  return () => (made ??= { value: make() }).value
}
