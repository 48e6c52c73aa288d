import { watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import { type GwError, toGwError } from '../base/mod.ts'
import type { LoadedConfig } from './load.ts'

/** What happens when a watched file changes. */
export interface WatchHandlers {
  /** A valid configuration that differs from the one before. */
  readonly onChange: (loaded: LoadedConfig) => void | Promise<void>
  /** The file does not parse or validate: the configuration before stays in force. */
  readonly onInvalid: (error: GwError) => void
}

/** A running watch. */
export interface ConfigWatch {
  /** Reads now, as if the file had changed; resolves when the handlers are done. */
  reload(): Promise<void>
  stop(): void
}

/** Editors save in several steps; their last one counts. */
const settleMs = 150

/**
 * Follows a config file. The folder is watched and the file read again after 150 ms of quiet, so that saving by rename
 * is seen too. One change is applied at a time.
 *
 * @param load reads and validates everything anew
 * @param follow false waits for {@link ConfigWatch.reload} alone
 */
export function watchConfig(
  path: string,
  current: LoadedConfig,
  load: () => Promise<LoadedConfig>,
  handlers: WatchHandlers,
  follow = true,
): ConfigWatch {
  let applied = current
  let timer: ReturnType<typeof setTimeout> | undefined
  let running = Promise.resolve()
  let stopped = false

  async function apply(): Promise<void> {
    if (stopped) return
    try {
      const loaded = await load()
      if (stopped || loaded.digest === applied.digest) return
      await handlers.onChange(loaded)
      applied = loaded
    } catch (error) {
      handlers.onInvalid(toGwError(error))
    }
  }
  const reload = () => running = running.then(apply)
  const name = basename(path)
  const watcher = !follow ? null : openWatcher(dirname(path), (changed) => {
    if (changed !== null && changed !== name && !changed.startsWith('..')) return
    clearTimeout(timer)
    timer = setTimeout(reload, settleMs)
    ;(timer as { unref?: () => void }).unref?.()
  })
  return {
    reload,
    stop() {
      stopped = true
      clearTimeout(timer)
      watcher?.close()
    },
  }
}

/** A folder that does not exist yet cannot be watched: the configuration is then re-read on SIGHUP alone. */
function openWatcher(folder: string, onEvent: (name: string | null) => void): { close(): void } | null {
  try {
    const watcher = watch(folder, { persistent: false }, (_, name) => onEvent(name))
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    return null
  }
}
