/** The door of repair for those who only look: the plan, and no step of it. */
export { explainRoutes } from './context.ts'
export { createInventory } from './inventory/inventory.ts'
export { relayRoutes } from './inventory/relay.ts'
export { toolServerRoutes } from './inventory/tool-servers.ts'
