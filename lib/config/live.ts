import { type GwError } from '../base/mod.ts'
import { type ConfigSources, loadConfig, type LoadedConfig } from './load.ts'
import { type ConfigWatch, watchConfig } from './watch.ts'
import type { ConfigEdit } from './document.ts'
import { readConfigFile } from './load.ts'
import {
  applying,
  type ConfigHome,
  type ConfigWritten,
  draftConfig,
  type TextChange,
  undoHalf,
  writeConfig,
  type WriteOptions,
} from './write.ts'

/** The configuration of a running gateway: always a valid one, changed only by a valid one. */
export interface LiveConfig {
  /** The one in force. */
  current(): LoadedConfig
  /** Why the file as it is now is not in force; `null` when it is. */
  problem(): GwError | null
  /** Calls back after each change, in the order of subscription. Returns how to stop. */
  onChange(listener: (loaded: LoadedConfig) => void): () => void
  /** The text of the file as it is now; `null` when there is none. */
  text(): Promise<string | null>
  /** What {@link LiveConfig.write} would come to; throws what it would throw, and writes nothing. */
  check(change: readonly ConfigEdit[] | TextChange, options?: WriteOptions): Promise<ConfigWritten>
  /** Changes the file, one change at a time, and puts the result in force before it resolves. */
  write(change: readonly ConfigEdit[] | TextChange, options?: WriteOptions): Promise<ConfigWritten>
  /** Reads the file now. */
  reload(): Promise<void>
  /** Gives the old file back where a process ended in the middle of a change. */
  recover(): Promise<void>
  stop(): void
}

/** What a {@link LiveConfig} reports. */
export interface LiveConfigEvents {
  readonly onApplied?: (loaded: LoadedConfig) => void
  readonly onRefused?: (error: GwError) => void
}

/**
 * Keeps a configuration in force and follows its file.
 *
 * @param initial what {@link loadConfig} gave for the same sources
 * @param watch false leaves the file unwatched, for a command that ends soon
 */
export function liveConfig(
  home: ConfigHome,
  sources: ConfigSources,
  initial: LoadedConfig,
  { watch = true, onApplied, onRefused }: LiveConfigEvents & { readonly watch?: boolean } = {},
): LiveConfig {
  let loaded = initial
  let refused: GwError | null = null
  let writing: Promise<unknown> = Promise.resolve()
  const listeners = new Set<(loaded: LoadedConfig) => void>()
  const apply = (next: LoadedConfig) => {
    loaded = next
    refused = null
    for (const listener of listeners) listener(next)
    onApplied?.(next)
  }
  const handlers = {
    onChange: apply,
    onInvalid: (error: GwError) => {
      refused = error
      onRefused?.(error)
    },
  }
  const load = () => loadConfig(sources)
  const watching: ConfigWatch = watchConfig(initial.path, initial, load, handlers, watch)
  return {
    current: () => loaded,
    problem: () => refused,
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    text: () => readConfigFile(initial.path),
    check: (change, options) => draftConfig(home, { ...sources, file: initial.path }, textChange(change), options),
    write(change, options) {
      const done = writing.then(async () => {
        const written = await writeConfig(home, { ...sources, file: initial.path }, textChange(change), options)
        await watching.reload()
        return written
      })
      writing = done.catch(() => {})
      return done
    },
    reload: () => watching.reload(),
    async recover() {
      if (await undoHalf(home.storage)) await watching.reload()
    },
    stop: () => watching.stop(),
  }
}

const textChange = (change: readonly ConfigEdit[] | TextChange): TextChange =>
  typeof change === 'function' ? change : applying(change)
