export { isLoginVariable, loginsConfig } from './vendors/config.ts'
