const blankLine = new Uint8Array([10, 10])

/** A place in the bytes of a piece. */
export interface Place {
  readonly bytes: Uint8Array
  readonly end: number
}

/** The piece as far as the last event reaches, closed by a blank line; the piece itself when nothing comes behind. */
export function upTo(piece: Uint8Array<ArrayBuffer>, last: Place): Uint8Array<ArrayBuffer> {
  const end = placeIn(piece, last)
  for (let at = end; at < piece.length; at++) {
    const byte = piece[at]
    if (byte !== 10 && byte !== 13) {
      const out = new Uint8Array(end + 2)
      out.set(piece.subarray(0, end))
      out.set(blankLine, end)
      return out
    }
  }
  return piece
}

/** The events of a piece before a place where another begins. */
export function before(piece: Uint8Array<ArrayBuffer>, place: Place): Uint8Array<ArrayBuffer> {
  return piece.subarray(0, placeIn(piece, place))
}

function placeIn(piece: Uint8Array, { bytes, end }: Place): number {
  return bytes.byteOffset + end - piece.byteOffset
}
