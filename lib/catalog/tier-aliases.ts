/**
 * Names that mean Claude tiers to clients which only know OpenAI's: the map that Link.Assistant.Router had built in.
 *
 * @see requirement LR-8.1
 */
export const tierAliases: Readonly<Record<string, string>> = {
  'gpt-4o-mini': 'anthropic/claude-haiku-4-5-20251001',
  'gpt-4-mini': 'anthropic/claude-haiku-4-5-20251001',
  'gpt-4o': 'anthropic/claude-sonnet-4-5-20250929',
  'gpt-4': 'anthropic/claude-sonnet-4-5-20250929',
  'o1': 'anthropic/claude-opus-4-7',
  'o1-pro': 'anthropic/claude-opus-4-7',
  'o3': 'anthropic/claude-opus-4-7',
  'o4': 'anthropic/claude-opus-4-7',
  'gpt-5': 'anthropic/claude-opus-4-7',
}
