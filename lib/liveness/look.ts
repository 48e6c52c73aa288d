/** The door of liveness for those who only look: what is believed, and no change of it. */
export { scoreAt } from './observe.ts'
export { readStandings, type StoredStanding } from './store.ts'
export { judge, summarize } from './view.ts'
