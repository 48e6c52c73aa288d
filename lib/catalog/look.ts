/** The door of the catalogue for those who only look: providers, without the facts about models. */
export { createCatalog } from './catalog.ts'
