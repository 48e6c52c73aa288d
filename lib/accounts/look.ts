/** The door of accounts for those who only look: the accounts of a home, without their secrets. */
export { accountsPicture } from './picture.ts'
export { readStoredProviders } from './provider-store.ts'
export { readRecords } from './records.ts'
