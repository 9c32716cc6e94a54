import type { ServerResponse as NodeServerResponse } from 'node:http';

/**
 * Node's HTTP, asked for by name. An `import` of it reads every export there is, also those that Node
 * loads on first use only: its WebSocket, and with that all of `fetch`, workers and web streams, of
 * which nothing here makes use, for an eighth of the process's memory.
 */
const http = process.getBuiltinModule('node:http');

export const { createServer, METHODS, ServerResponse, STATUS_CODES } = http;
export type ServerResponse = NodeServerResponse;
