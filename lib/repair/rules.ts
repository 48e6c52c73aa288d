/** What is wrong with `[stay_afloat]` across its parts: for those who know its shape already and need no schema. */
export { checkInventory as inventoryProblems } from './inventory/check.ts'
