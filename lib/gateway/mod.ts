/**
 * Gateway: the straight line of one request.
 *
 * Owns reading what a caller asks for, trying one target after the other until the commit point, passing answers on
 * without ever showing a broken one as finished, and the one record at the end. Decides neither who may ask (access) nor
 * where to (routing). Start at `serve.ts`, behind {@link createDoor}: it is one page.
 * @module
 */
export { type Body } from './body.ts'
export { pathOf } from './call.ts'
export { createDoor, type Door } from './door.ts'
export { errorResponse, shown } from './errors.ts'
export { defaultLimits, type Limits } from './limits.ts'
export type { Admitter, Directory, Leaser, Observer, Peer, Recorder, Rooms } from './seams.ts'
export { createTurnStore } from './turn-store.ts'
export { dialectOf, type Family, plainPath, surfaces } from './surfaces.ts'
export { rawModel } from './proxy.ts'
