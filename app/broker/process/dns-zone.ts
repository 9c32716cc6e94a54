import type { Clock } from '../../kit/index.ts';
import type { CanonicalHost } from '../../policy/index.ts';

/** Most names that hold an address of their own at once. */
export const MAX_ZONE_NAMES = 32_768;
/** How long an answer may be kept inside. Short: after a restart of the broker all addresses are new. */
export const ZONE_TTL_SECONDS = 10;
/** A name asked for within this time keeps its address, so that no cached answer leads elsewhere. */
export const ZONE_HOLD_MS = 3 * ZONE_TTL_SECONDS * 1000;

/** 198.18.0.0/15, the benchmarking range (RFC 2544): routed nowhere, so that it can mean anything here. */
const BASE = (198 << 24) | (18 << 16);
const SIZE = 1 << 17;

const addressText = (index: number): string => {
  const value = (BASE >>> 0) + index;
  return [24, 16, 8, 0].map((shift) => String((value >>> shift) & 255)).join('.');
};

/** Whether an address lies in the range that the zone hands out. */
export const isZoneAddress = (address: string): boolean => /^198\.1[89]\.\d+\.\d+$/.test(address);

type Entry = {
  readonly name: CanonicalHost;
  readonly address: string;
  askedAt: number;
  pins: number;
};

/**
 * The synthetic zone: each name that is asked for gets an address of its own, so that a connection's
 * address says which name the program meant. Nothing is ever asked outside.
 */
export type DnsZone = {
  /** The name's address; undefined where every address is in use. */
  readonly addressOf: (name: CanonicalHost) => string | undefined;
  readonly nameOf: (address: string) => CanonicalHost | undefined;
  /** Keeps the address with its name while a connection lives; the returned function lets go. */
  readonly pin: (address: string) => () => void;
  readonly size: () => number;
};

export const createDnsZone = (
  clock: Clock,
  start: number,
  maxNames: number = MAX_ZONE_NAMES,
): DnsZone => {
  // In order of use: the first key is the one that was asked for longest ago.
  const byName = new Map<CanonicalHost, Entry>();
  const byAddress = new Map<string, Entry>();
  let cursor = start % SIZE;

  const freeAddress = (): string => {
    for (;;) {
      cursor = (cursor + 1) % SIZE;
      const last = cursor & 255;
      const address = addressText(cursor);
      if (last !== 0 && last !== 255 && !byAddress.has(address)) return address;
    }
  };
  const evict = (): boolean => {
    const limit = clock.monotonic() - ZONE_HOLD_MS;
    for (const entry of byName.values()) {
      if (entry.askedAt > limit) return false;
      if (entry.pins > 0) continue;
      byName.delete(entry.name);
      byAddress.delete(entry.address);
      return true;
    }
    return false;
  };

  return {
    addressOf: (name) => {
      const known = byName.get(name);
      if (known !== undefined) {
        known.askedAt = clock.monotonic();
        byName.delete(name);
        byName.set(name, known);
        return known.address;
      }
      if (byName.size >= maxNames && !evict()) return undefined;
      const entry: Entry = { name, address: freeAddress(), askedAt: clock.monotonic(), pins: 0 };
      byName.set(name, entry);
      byAddress.set(entry.address, entry);
      return entry.address;
    },
    nameOf: (address) => byAddress.get(address)?.name,
    pin: (address) => {
      const entry = byAddress.get(address);
      if (entry === undefined) return () => undefined;
      entry.pins += 1;
      let held = true;
      return () => {
        if (held) entry.pins -= 1;
        held = false;
      };
    },
    size: () => byName.size,
  };
};
