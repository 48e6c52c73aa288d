import manifest from '../package.json' with { type: 'json' }

/** The version of this gw. */
export const version: string = manifest.version
