import { z } from 'zod';
import { assertNever } from '../../app/kit/index.ts';

/** What is measured, each in turn for every contender. `check` comes first in every round and measures nothing. */
export const PHASES = ['check', 'kept', 'fresh', 'parallel', 'down', 'up', 'events'] as const;
export type Phase = (typeof PHASES)[number];

/** The phases after which the memory under load is read. */
export const LOAD_PHASES: readonly Phase[] = ['parallel', 'down', 'up'];

const milliseconds = z.number().nonnegative();

export const CheckOutput = z.strictObject({ issuer: z.string(), body: z.string() });
const Latency = z.strictObject({ p50: milliseconds, p99: milliseconds });
const Parallel = z.strictObject({
  perSecond: z.number().nonnegative(),
  /** All that were made, before the measuring began too. */
  requests: z.int().nonnegative(),
  failed: z.int().nonnegative(),
  p50: milliseconds,
  p99: milliseconds,
});
const Bulk = z.strictObject({
  mibPerSecond: z.number().positive(),
  /** All that were carried, before the measuring began too. */
  mebibytes: z.number().positive(),
});
const Events = z.strictObject({
  p50: z.number(),
  p99: z.number(),
  aloneShare: z.number().min(0).max(1),
});

/** The figures of one round of one contender; a phase that failed leaves its figures out. */
export type Figures = Readonly<Partial<Record<Measure, number>>>;

export const MEASURES = [
  'keptP50',
  'keptP99',
  'freshP50',
  'freshP99',
  'perSecond',
  'failed',
  'cpuPerRequestUs',
  'downMiBs',
  'upMiBs',
  'downCpuPerMiBMs',
  'upCpuPerMiBMs',
  'eventP50',
  'eventP99',
  'eventsAlone',
  'restRssMiB',
  'restPssMiB',
  'loadRssMiB',
  'loadPssMiB',
] as const;
export type Measure = (typeof MEASURES)[number];

/**
 * Reads what the client printed in a phase, in which the contender's processes worked for `cpuMs`. Throws where
 * it is not what that phase prints.
 */
export const readFigures = (
  phase: Exclude<Phase, 'check'>,
  output: string,
  cpuMs: number,
): Figures => {
  const printed: unknown = JSON.parse(output);
  switch (phase) {
    case 'kept': {
      const { p50, p99 } = Latency.parse(printed);
      return { keptP50: p50, keptP99: p99 };
    }
    case 'fresh': {
      const { p50, p99 } = Latency.parse(printed);
      return { freshP50: p50, freshP99: p99 };
    }
    case 'parallel': {
      const { perSecond, requests, failed } = Parallel.parse(printed);
      return { perSecond, failed, cpuPerRequestUs: (cpuMs * 1000) / requests };
    }
    case 'down': {
      const { mibPerSecond, mebibytes } = Bulk.parse(printed);
      return { downMiBs: mibPerSecond, downCpuPerMiBMs: cpuMs / mebibytes };
    }
    case 'up': {
      const { mibPerSecond, mebibytes } = Bulk.parse(printed);
      return { upMiBs: mibPerSecond, upCpuPerMiBMs: cpuMs / mebibytes };
    }
    case 'events': {
      const { p50, p99, aloneShare } = Events.parse(printed);
      return { eventP50: p50, eventP99: p99, eventsAlone: aloneShare };
    }
    default:
      return assertNever(phase, 'a phase that no one reads');
  }
};
