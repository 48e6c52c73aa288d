import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** Whether a process with this id exists (it may be another one that got the same number). */
export function processAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
}

/**
 * This process, by a name that others of the same machine can look it up by: its id, and where and since when that id
 * means it. A container or another boot has ids of its own.
 */
export function processMark(): string {
  return `${process.pid}@${machine()}`
}

/** Whether the process of a mark has surely ended; false wherever it cannot be told. */
export function hasEnded(mark: string): boolean {
  const [, pid, where] = /^(\d+)@(.+)$/.exec(mark) ?? []
  return where !== undefined && where === machine() && !processAlive(Number(pid))
}

function machine(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot}/${readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')}`
  } catch {
    return hostname()
  }
}
