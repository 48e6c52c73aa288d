/** The door of credentials for those who only look: what names say, and no login. */
export { identityOf } from './identity.ts'
export { isLoginVariable } from './vendors/override-keys.ts'
