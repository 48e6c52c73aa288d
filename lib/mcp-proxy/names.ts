/** Longest tool name that every model API takes. */
const maxName = 64

/**
 * Name of a server's tool in the merged endpoint: `namespace__tool`, or the bare tool where the namespace is empty.
 *
 * A name that would be longer than 64 characters keeps its beginning and ends in eight characters of its own hash, so
 * that it is the same at each start.
 */
export function mergedName(namespace: string, tool: string): string {
  const name = namespace === '' ? tool : `${namespace}__${tool}`
  if (name.length <= maxName) return name
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return `${name.slice(0, maxName - 9)}_${(hash >>> 0).toString(16).padStart(8, '0')}`
}
