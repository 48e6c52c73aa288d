import { expect, test } from 'bun:test'
import { inTurn } from '../../../lib/base/mod.ts'

/** A reader of `value` whose runs end when they are told to. */
function slowReader() {
  const state = { value: 0, seen: -1, runs: 0, finish: [] as ((error?: Error) => void)[] }
  const read = inTurn(() => {
    state.runs++
    const { value } = state
    return new Promise((resolve, reject) => {
      state.finish.push((error) => {
        if (error) return reject(error)
        state.seen = value
        resolve()
      })
    })
  })
  return { state, read }
}

test('inTurn() gives whoever asks a run that began after they asked, and shares it', async () => {
  const { state, read } = slowReader()
  const first = read()
  state.value = 1
  const [second, third] = [read(), read()]
  expect(state.runs).toBe(1)
  state.finish[0]!()
  await first
  expect(state.seen).toBe(0)
  expect(state.runs).toBe(2)
  state.finish[1]!()
  await Promise.all([second, third])
  expect(state.seen).toBe(1)
  expect(state.runs).toBe(2)
})

test('inTurn() runs again after a run that failed, for those who wait and for those who come later', async () => {
  const { state, read } = slowReader()
  const first = read()
  const second = read()
  state.finish[0]!(new Error('busy'))
  await expect(first).rejects.toThrow('busy')
  expect(state.runs).toBe(2)
  state.finish[1]!()
  await second
  const third = read()
  state.finish[2]!()
  await third
  expect(state.runs).toBe(3)
})
