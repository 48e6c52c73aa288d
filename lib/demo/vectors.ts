/** FNV-1a, 32 bits: small, and the same on every runtime. */
function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193) >>> 0
  return h
}

/**
 * A unit vector for a text: its words hashed into `dimensions` buckets. Equal texts have equal vectors, and the more
 * words two texts share, the closer they lie.
 */
export function vectorOf(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions)
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [text]
  for (const word of words) {
    for (let i = 0; i < 4; i++) {
      const h = hash(`${i} ${word}`)
      const at = h % dimensions
      vector[at] = vector[at]! + (h & 0x10000 ? 1 : -1)
    }
  }
  const length = Math.hypot(...vector) || 1
  return vector.map((x) => x / length)
}

/** The vector as the wire carries it when base64 was asked for: little-endian 32-bit floats. */
export function base64Of(vector: Float32Array): string {
  const view = new DataView(new ArrayBuffer(vector.length * 4))
  vector.forEach((x, i) => view.setFloat32(i * 4, x, true))
  let text = ''
  for (const byte of new Uint8Array(view.buffer)) text += String.fromCharCode(byte)
  return btoa(text)
}
