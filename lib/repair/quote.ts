/** Shells that assignments can be printed for. */
export const shells = ['fish', 'zsh', 'bash', 'ksh'] as const

/** See {@link shells}. */
export type Shell = typeof shells[number]

/** One word of a POSIX shell line that means exactly this text; plain words stay bare. */
function quoteWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** A POSIX shell line that runs this argv. */
export function quoteLine(argv: readonly string[]): string {
  return argv.map(quoteWord).join(' ')
}

/** An assignment that exports a variable in this shell, whatever its value holds. */
export function quoteAssignment(shell: Shell, name: string, value: string): string {
  // In fish's single quotes a backslash before a quote or a backslash still escapes; elsewhere nothing does.
  if (shell === 'fish') return `set -gx ${name} '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}';`
  return `export ${name}='${value.replaceAll("'", `'\\''`)}'`
}

/** The shell that the environment says is used; bash when it does not say. */
export function detectShell(env: Readonly<Record<string, string | undefined>>): Shell {
  const name = (env.SHELL ?? '').split('/').pop() ?? ''
  return shells.find((shell) => shell === name) ?? 'bash'
}
