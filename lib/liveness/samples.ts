/** One measured number and when it was seen, epoch ms. */
export type Sample = readonly [at: number, value: number]

/** The last measurements of one thing, oldest first. At most {@link maxSamples}, none older than an hour when added. */
export type Samples = readonly Sample[]

/** Enough for a ninetieth percentile to be more than the worst case; the 99th is then the worst of the last ones. */
const maxSamples = 64
/** What is older says nothing about now, and a target that was put behind for it deserves another look. */
const freshMs = 3_600_000

/** In a full list the newest come at least this far apart: sixty-four of one burst would say nothing about the minute. */
const spacingMs = 100

/** The measurements with one more; what is absent changes nothing. */
export function addSample(samples: Samples, value: number | null | undefined, now: number): Samples {
  if (value === null || value === undefined || !Number.isFinite(value) || value < 0) return samples
  if (samples.length === maxSamples && now - samples[maxSamples - 1]![0] < spacingMs) return samples
  let from = Math.max(0, samples.length - maxSamples + 1)
  while (from < samples.length && !isFresh(samples[from]!, now)) from++
  const after = samples.slice(from)
  after.push([now, Math.round(value * 10) / 10])
  return after
}

/**
 * Whether at least this part of the fresh measurements lies within bounds, which is what a percentile held against a
 * limit asks: `p90 ≤ 2 s` is nine tenths at or below 2 s. `null` when nothing fresh was measured.
 *
 * @param part 0 to 1
 */
export function partIsWithin(
  samples: Samples,
  part: number,
  least: number,
  most: number,
  now: number,
): boolean | null {
  let seen = 0
  let good = 0
  for (let i = 0; i < samples.length; i++) {
    const sample = samples[i]!
    if (!isFresh(sample, now)) continue
    seen++
    if (sample[1] >= least && sample[1] <= most) good++
  }
  // A hair of slack: 0.9 * 10 is not nine.
  return seen === 0 ? null : good >= part * seen - 1e-9
}

/** The smallest measured number that this part of the fresh measurements does not exceed; `null` when there is none. */
export function percentile(samples: Samples, part: number, now: number): number | null {
  const fresh = samples.filter((sample) => isFresh(sample, now)).map(([, value]) => value).sort((a, b) => a - b)
  return fresh[Math.max(0, Math.ceil(part * fresh.length - 1e-9) - 1)] ?? null
}

const isFresh = (sample: Sample, now: number): boolean => now - sample[0] < freshMs
