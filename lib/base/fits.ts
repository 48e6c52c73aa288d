/**
 * Whether a value is what it should be. Functions and no schema: for our own rows, read in bulk by commands that end at
 * once, where the first thousand values of a schema cost more than all the rest.
 */
export type Test = (value: unknown) => boolean

/** Whether a value is a text. */
export const isText: Test = (value) => typeof value === 'string'
/** Whether a value is a number. */
export const isNumber: Test = (value) => typeof value === 'number'
/** Whether a value is true or false. */
export const isFlag: Test = (value) => typeof value === 'boolean'
/** Whether a value is a number or nothing. */
export const isNumberOrNull: Test = (value) => value === null || typeof value === 'number'
/** Whether a value is a text or nothing. */
export const isTextOrNull: Test = (value) => value === null || typeof value === 'string'
/** Tells one of these texts. */
export const isOneOf = (...texts: readonly unknown[]): Test => (value) => texts.includes(value)
/** Tells a list of what another test tells. */
export const isListOf = (of: Test): Test => (value) => Array.isArray(value) && (value.length === 0 || value.every(of))
