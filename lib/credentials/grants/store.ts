import type { Grant } from './grant.ts'

/** A place where one login is kept. */
export interface GrantStore {
  /** Names it in messages: a path, or a keychain item. */
  readonly name: string
  /** Beside what, and by which name, its users exclude one another. */
  readonly lockPath: string
  /** Used in its place where that lies on a file system that is mounted read-only. */
  readonly spareLockPath?: string
  /** What is there now, or `null`. @throws GwError `credential.unavailable` when it is there and cannot be read */
  read(): Promise<Grant | null>
  /** Changes whenever the content may have: cheap. `null` when there is nothing. */
  version(): Promise<string | null>
  /** Proves that a write would succeed, before something is spent that only a write can save. */
  prepare(): Promise<void>
  /** Durable when it resolves. */
  write(grant: Grant): Promise<void>
  /** Keeps a grant that could not be written where it belongs, in this home. */
  rescue?(grant: Grant): Promise<void>
  /** Whether there was something. */
  remove(): Promise<boolean>
}
