/** The door of config for those who only look: what holds now. */
export { loadConfig } from './load.ts'
