/**
 * Conform: does a gateway speak the protocols it says it speaks?
 *
 * Owns the cases, the grammar they are judged by, and the report. Runs from the outside against any base URL, gw's own or
 * another's, and knows nothing of what is behind it. Start at {@link runConformance}.
 * @module
 */
export { type ConformanceReport, runConformance } from './run.ts'
