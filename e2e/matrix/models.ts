import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { createAnthropicService } from '../upstreams/anthropic-messages.ts';
import { geminiAnswer } from '../upstreams/gemini-content.ts';
import { responsesEvents } from '../upstreams/openai-responses.ts';
import type { Service, SocketService } from './upstream.ts';

/** What every model answers: a careless one, that says the key it was called with. */
export const says = (secret: string): string =>
  `Hello from the model. Your key is ${secret} as I see.`;

const readText = async (request: Http2ServerRequest): Promise<string> => {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
};

/** Reads the request, then lets it be answered; a request that cannot be understood breaks off. */
const withBody =
  (answer: (body: string, ...args: Parameters<Service>) => void): Service =>
  (request, response) => {
    readText(request).then(
      (body) => answer(body, request, response),
      () => response.destroy(),
    );
  };

/** Anthropic's Messages service. */
export const anthropicService = (secret: string): Service => {
  const script = { tool: { name: 'none', input: {} }, says: says(secret) };
  const { listener } = createAnthropicService({ apiKey: secret, script });
  return (request, response) => {
    response.setHeader('x-you-sent', secret);
    // The compatible halves of HTTP/2's requests and answers are all that it uses.
    listener(request as unknown as IncomingMessage, response as unknown as ServerResponse);
  };
};

/** OpenAI's Responses service, as server-sent events. */
export const openaiService = (secret: string): Service =>
  withBody((body, request, response) => {
    if (request.headers.authorization !== `Bearer ${secret}`) {
      response.writeHead(401).end();
      return;
    }
    if (request.url !== '/v1/responses') {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', 'x-you-sent': secret });
    for (const event of responsesEvents(JSON.parse(body), says(secret)))
      response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    response.end();
  });

/** The same over a WebSocket: each event is one text message. */
export const openaiSocket = (secret: string, closed: () => boolean): SocketService => ({
  secret,
  closed,
  serve: (socket) => {
    socket.on('message', (data: Buffer) => {
      for (const event of responsesEvents(JSON.parse(data.toString()), says(secret)))
        socket.send(JSON.stringify(event));
    });
  },
});

/** Google's Gemini service. */
export const geminiService = (secret: string): Service =>
  withBody((_body, request, response) => {
    if (request.headers['x-goog-api-key'] !== secret) {
      response.writeHead(403).end();
      return;
    }
    const { type, body } = geminiAnswer(request.url, says(secret));
    response.writeHead(200, { 'content-type': type, 'x-you-sent': secret }).end(body);
  });
