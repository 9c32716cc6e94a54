import { STATUS_CODES, type ServerResponse } from 'node:http';
import { SECURITY_HEADERS } from '../host/window-files.ts';
import type { Refusal } from './request-check.ts';

type Headers = Readonly<Record<string, string>>;

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** A small page in words; `head` is ours and goes in as it is. */
export const page = (title: string, words: string, head = ''): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title>${head}</head><body><h1>${escapeHtml(title)}</h1><p>${escapeHtml(words)}</p></body></html>\n`;

/** Sends a whole answer; for HEAD, Node leaves the body out. */
export const answer = (
  response: ServerResponse,
  status: number,
  headers: Headers,
  body: Uint8Array | string,
): void => {
  const bytes = Buffer.from(body);
  response.writeHead(status, { ...headers, 'Content-Length': String(bytes.byteLength) });
  response.end(bytes);
};

export const answerPage = (
  response: ServerResponse,
  status: number,
  html: string,
  more: Headers = {},
): void => {
  const headers = {
    ...SECURITY_HEADERS,
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-store',
    ...more,
  };
  answer(response, status, headers, html);
};

/** Says no, and why, on a page a person can read. */
export const refuse = (response: ServerResponse, refusal: Refusal, more: Headers = {}): void => {
  const title = `Glovebox: ${STATUS_CODES[refusal.status] ?? 'refused'}`;
  answerPage(response, refusal.status, page(title, refusal.words), more);
};
