import { rotate, type Strategy } from './strategy.ts'

/** Every target in turn. */
export const roundRobin: Strategy = {
  order: (candidates, view) => rotate(candidates, view.cursor),
  because: () => 'its turn',
}
