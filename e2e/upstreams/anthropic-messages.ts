import { createServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Closable } from '../../app/kit/index.ts';
import type { Identity } from './authority.ts';

const EVENT_PAUSE_MS = 15;
const WORDS_PER_DELTA = 3;

/** The part of a Messages request that the stand-in looks at; the rest passes. */
const MessagesRequest = z.looseObject({
  model: z.string(),
  stream: z.boolean().optional(),
  messages: z.array(
    z.looseObject({
      role: z.string(),
      content: z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]),
    }),
  ),
  tools: z.array(z.looseObject({ name: z.string() })).optional(),
});
type MessagesRequest = z.infer<typeof MessagesRequest>;

/** One request as it arrived: what proves which key came over the wire. */
export type SeenRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** What the model "decides": one use of a tool, then words. */
export type Script = {
  readonly tool: { readonly name: string; readonly input: Readonly<Record<string, unknown>> };
  readonly says: string;
};

/** A stand-in of the Messages service over TLS: server-sent events as the real service writes them. */
export type AnthropicStandIn = Closable & {
  readonly port: number;
  readonly seen: readonly SeenRequest[];
};

type Block =
  | { readonly type: 'text'; readonly text: string }
  | {
      readonly type: 'tool_use';
      readonly id: string;
      readonly name: string;
      readonly input: unknown;
    };

const hasToolResult = (request: MessagesRequest): boolean =>
  request.messages.some(
    (message) =>
      typeof message.content !== 'string' &&
      message.content.some((block) => block.type === 'tool_result'),
  );

const decide = (request: MessagesRequest, script: Script): Block => {
  const offered = request.tools?.some((tool) => tool.name === script.tool.name) ?? false;
  return offered && !hasToolResult(request)
    ? { type: 'tool_use', id: 'toolu_01StandInGlovebox0000', ...script.tool }
    : { type: 'text', text: script.says };
};

const messageOf = (request: MessagesRequest, content: readonly Block[], stop: string | null) => ({
  id: 'msg_01StandInGlovebox00000',
  type: 'message',
  role: 'assistant',
  model: request.model,
  content,
  stop_reason: stop,
  stop_sequence: null,
  usage: {
    input_tokens: 42,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: 17,
  },
});

const stopReason = (block: Block): string => (block.type === 'tool_use' ? 'tool_use' : 'end_turn');

/** The block's content in the small pieces in which the real service streams it. */
const deltasOf = (block: Block): readonly object[] => {
  const text = block.type === 'text' ? block.text : JSON.stringify(block.input);
  const words = text.match(/\S+\s*/g) ?? [text];
  const pieces: string[] = [];
  for (let at = 0; at < words.length; at += WORDS_PER_DELTA) {
    pieces.push(words.slice(at, at + WORDS_PER_DELTA).join(''));
  }
  return pieces.map((piece) =>
    block.type === 'text'
      ? { type: 'text_delta', text: piece }
      : { type: 'input_json_delta', partial_json: piece },
  );
};

const stream = async (
  response: ServerResponse,
  request: MessagesRequest,
  block: Block,
): Promise<void> => {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    'request-id': 'req_standin',
  });
  const send = async (
    event: { readonly type: string } & Record<string, unknown>,
  ): Promise<void> => {
    response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    await delay(EVENT_PAUSE_MS);
  };
  const opening = block.type === 'text' ? { ...block, text: '' } : { ...block, input: {} };
  await send({ type: 'message_start', message: messageOf(request, [], null) });
  await send({ type: 'content_block_start', index: 0, content_block: opening });
  await send({ type: 'ping' });
  for (const delta of deltasOf(block)) {
    await send({ type: 'content_block_delta', index: 0, delta });
  }
  await send({ type: 'content_block_stop', index: 0 });
  await send({
    type: 'message_delta',
    delta: { stop_reason: stopReason(block), stop_sequence: null },
    usage: { output_tokens: 17 },
  });
  await send({ type: 'message_stop' });
  response.end();
};

const readBody = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
};

const json = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};

const problem = (type: string, message: string) => ({ type: 'error', error: { type, message } });

/**
 * The service itself, for whichever server it is put behind. It accepts exactly `apiKey` and answers 401
 * to anything else.
 */
export const createAnthropicService = (options: {
  readonly apiKey: string;
  readonly script: Script;
}): {
  readonly seen: readonly SeenRequest[];
  readonly listener: (request: IncomingMessage, response: ServerResponse) => void;
} => {
  const seen: SeenRequest[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readBody(request);
    const path = request.url ?? '/';
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    );
    seen.push({ method: request.method ?? '', path, headers, body });
    const key = headers['x-api-key'] ?? headers['authorization']?.replace(/^Bearer /, '');
    if (!path.startsWith('/v1/messages')) {
      json(response, 404, problem('not_found_error', `no ${path} here`));
      return;
    }
    if (key !== options.apiKey) {
      json(response, 401, problem('authentication_error', 'invalid x-api-key'));
      return;
    }
    if (path.startsWith('/v1/messages/count_tokens')) {
      json(response, 200, { input_tokens: 42 });
      return;
    }
    const parsed = MessagesRequest.safeParse(JSON.parse(body));
    if (!parsed.success) {
      json(response, 400, problem('invalid_request_error', parsed.error.message));
      return;
    }
    const block = decide(parsed.data, options.script);
    if (parsed.data.stream === true) await stream(response, parsed.data, block);
    else json(response, 200, messageOf(parsed.data, [block], stopReason(block)));
  };
  return {
    seen,
    listener: (request, response) => {
      answer(request, response).catch((failure: unknown) => {
        if (!response.headersSent) json(response, 500, problem('api_error', String(failure)));
        else response.destroy();
      });
    },
  };
};

/** Starts the stand-in on a loopback port. */
export const startAnthropicStandIn = async (options: {
  readonly identity: Identity;
  readonly apiKey: string;
  readonly script: Script;
}): Promise<AnthropicStandIn> => {
  const { seen, listener } = createAnthropicService(options);
  const { certificate: cert, key } = options.identity;
  const server = createServer({ cert, key }, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
};
