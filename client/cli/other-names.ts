/**
 * The words of oauth-mux that are others here. Under `gw oauth-mux` all of them mean what they meant
 * there; those that gw has no use of its own for also work without it.
 */
const muxWords: readonly (readonly [theirs: string, ours: string])[] = [
  ['daemon repair-plan', 'repair plan'],
  ['daemon handoffs', 'stay-afloat handoffs'],
  ['daemon events', 'events'],
  ['daemon tick', 'stay-afloat --once'],
  ['daemon refresh', 'stay-afloat refresh'],
  ['completions', 'complete'],
  ['repair-plan', 'repair plan'],
  ['setup codex', 'codex setup'],
]

/** Words that mean something else here: only under `gw oauth-mux` do they answer as they did there. */
const muxOnly: readonly (readonly [theirs: string, ours: string])[] = [
  ['doctor runtime', 'doctor runtime'],
  ['doctor', 'doctor accounts'],
  ['accounts list', 'stay-afloat accounts'],
  ['providers list', 'stay-afloat providers'],
  ['version', '--version'],
]

/**
 * A command line of another tool in the words of this one: `gw tplumb …` is token-plumber's, with its server where there
 * are no words, and `gw oauth-mux …` is that of oauth-mux.
 */
export function ownWords(argv: readonly string[]): readonly string[] {
  const [first, ...rest] = argv
  if (first === 'tplumb') return rest.length === 0 ? ['serve'] : rest
  return first === 'oauth-mux' ? replaced(rest, [...muxOnly, ...muxWords]) : replaced(argv, muxWords)
}

function replaced(argv: readonly string[], table: typeof muxWords): readonly string[] {
  for (const [theirs, ours] of table) {
    const words = theirs.split(' ')
    if (words.every((word, i) => argv[i] === word)) return [...ours.split(' '), ...argv.slice(words.length)]
  }
  return argv
}
