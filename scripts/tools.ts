import { join } from 'node:path';
import { root } from './places.ts';

/** This very Node: scripts run in the Node 24 that the packages brought. */
export const node24: string = process.execPath;

/** A program that the packages brought. */
export const bin = (name: string): string => join(root, 'node_modules', '.bin', name);
