export { loginsConfig } from './vendors/config.ts'
