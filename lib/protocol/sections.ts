import type { DeltaEvent } from './event.ts'

/** What a stream has said of one reasoning part, section by section. */
export interface Sections {
  /** The thoughts themselves. */
  readonly content: string[]
  /** What their issuer says about them. */
  readonly summary: string[]
}

/** Adds a delta of reasoning to the section it names; whether it is the first of that section. */
export function addToSection(to: Sections, { text, summary, section = 0 }: DeltaEvent): boolean {
  const sections = summary === true ? to.summary : to.content
  const opens = section >= sections.length
  while (sections.length <= section) sections.push('')
  sections[section] += text
  return opens
}

/**
 * {@link addToSection}, and the text that a protocol without sections shows of it: a blank line between sections, and a
 * summary (`null`) only where there are no thoughts.
 */
export function showReasoning(to: Sections, event: DeltaEvent): string | null {
  const begun = (event.summary === true ? to.summary : to.content).length > 0
  const opens = addToSection(to, event)
  if (event.summary === true && to.content.length > 0) return null
  return begun && opens ? `\n\n${event.text}` : event.text
}
