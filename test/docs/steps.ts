/** A block of commands of a guide, as printed. */
export interface Step {
  /** The line of the guide where the block begins, from 1. */
  readonly line: number
  /** The heading above it. */
  readonly title: string
  readonly commands: string
  /** Runs in a terminal of its own, to the end of the guide. */
  readonly server: boolean
  /** A program that not every machine has. */
  readonly needs: string | null
  /** A variable whose key the vendor revokes before this step. */
  readonly revokes: string | null
  /** What its output must hold. */
  readonly expects: readonly string[]
}

/**
 * The shell blocks of a guide in their order. What the reader of the page does not see steers them: a comment
 * `step: server`, `step: needs PROGRAM` or `step: revoke VARIABLE` before a block, `expect: TEXT` after it.
 */
export function stepsOf(markdown: string): readonly Step[] {
  const steps: (Step & { expects: string[] })[] = []
  let title = ''
  let directive = ''
  let block: { line: number; lines: string[]; shell: boolean } | null = null
  markdown.split('\n').forEach((line, i) => {
    const fence = /^```(\w*)/.exec(line)
    if (block) {
      if (!fence) return void block.lines.push(line)
      if (block.shell) {
        const [word, rest = ''] = directive.split(/ (.*)/)
        steps.push({
          line: block.line,
          title,
          commands: block.lines.join('\n'),
          server: word === 'server',
          needs: word === 'needs' ? rest : null,
          revokes: word === 'revoke' ? rest : null,
          expects: [],
        })
      }
      block = null
      directive = ''
    } else if (fence) block = { line: i + 1, lines: [], shell: fence[1] === 'sh' }
    else if (line.startsWith('#')) title = line.replace(/^#+ /, '')
    else {
      const comment = /^<!-- (step|expect): (.*) -->$/.exec(line)
      if (comment?.[1] === 'step') directive = comment[2]!
      else if (comment) steps.at(-1)?.expects.push(comment[2]!)
    }
  })
  return steps
}
