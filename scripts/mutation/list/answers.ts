import { inFile, type Mutation } from '../mutation.ts';

const PROCESS = 'app/broker/process';

/** What stands between a server and the sandbox, and what is written down of it. */
export const ANSWER_MUTATIONS: readonly Mutation[] = [
  ...inFile(`${PROCESS}/answer.ts`, [
    [
      'scrub-headers',
      'answers’ headers are scrubbed',
      'const cleaned = scrubPairs(scrubber, kept);',
      'const cleaned = { pairs: kept, hits: 0 };',
      'app/broker/echo.test.ts',
    ],
    [
      'scrub-reason',
      'the reason phrase is scrubbed',
      'reason: reason.text,',
      'reason: answer.reason,',
      'app/broker/echo.test.ts',
    ],
    [
      'scrub-unreadable',
      'an answer in an unknown coding is refused',
      "if (codings === undefined && value('content-length') !== '0') {",
      "if (codings === undefined && value('content-length') === 'none') {",
      'app/broker/echo.test.ts',
    ],
    [
      'scrub-reset-content',
      'what a server says under status 205 is scrubbed',
      'const NO_BODY = new Set([204, 304]);',
      'const NO_BODY = new Set([204, 205, 304]);',
      'app/broker/echo.test.ts',
    ],
    [
      'scrub-grpc',
      'compressed gRPC messages are refused',
      '!/^\\s*identity\\s*$/i.test(messages)',
      "messages === ''",
      `${PROCESS}/answer.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/forward-answer.ts`, [
    [
      'held-reason',
      'a token that was made for an answer does not come inside in the words of its status',
      'reason: reason.text,',
      'reason: plan.reason,',
      'app/broker/mediators.test.ts',
    ],
    [
      'scrub-trailers',
      'trailers are scrubbed',
      'const planned = planTrailers(scrubber, safeTrailers(trailers));',
      'const planned = { pairs: safeTrailers(trailers), hits: 0 };',
      'app/broker/echo.test.ts',
    ],
    [
      'scrub-interim',
      'interim answers are scrubbed',
      'const planned = planTrailers(deps.book.scrubber(), safeTrailers(headers));',
      'const planned = { pairs: safeTrailers(headers), hits: 0 };',
      'app/broker/echo.test.ts',
    ],
  ]),
  ...inFile(`${PROCESS}/forward.ts`, [
    [
      'trip-trailer',
      'a placeholder in a trailer trips',
      'if (found === undefined) return trailers;',
      'if (found !== null) return trailers;',
      'app/broker/kept-connection.test.ts',
    ],
    [
      'trip-held',
      'what a held request leaves with is searched once more',
      'if (left !== undefined) {',
      'if (left === null) {',
      'app/broker/injection.test.ts',
    ],
  ]),
  ...inFile(`${PROCESS}/secret-forms.ts`, [
    [
      'long-tokens-apart',
      'long tokens of one issuer are told apart by what is their own',
      'ownPairs(pair)?.flatMap(wholeFormsOf) ?? wholeFormsOf(pair);',
      'wholeFormsOf(pair);',
      `${PROCESS}/mediators/tokens.test.ts`,
    ],
    [
      'form-alignment',
      'base64 is found at each alignment',
      '[0, 1, 2].flatMap((shift) => {',
      '[0].flatMap((shift) => {',
      'app/broker/echo.test.ts',
    ],
    [
      'form-url',
      'base64url is found',
      'new Set([find, urlSafe(find)])',
      'new Set([find])',
      `${PROCESS}/scrub.test.ts`,
    ],
    [
      'form-hex',
      'hexadecimal is found',
      'return [...textForms(body, placeholder), ...encoded, ...wideForms(body, placeholder)];',
      "return [...textForms(body, placeholder), ...encoded.filter(({ find }) => !/^[0-9a-f]+$/i.test(find.toString('latin1'))), ...wideForms(body, placeholder)];",
      'app/broker/echo.test.ts',
    ],
    [
      'form-wide',
      'UTF-16 is found',
      'return [...textForms(body, placeholder), ...encoded, ...wideForms(body, placeholder)];',
      'return [...textForms(body, placeholder), ...encoded];',
      'app/broker/echo.test.ts',
    ],
  ]),
  ...inFile(`${PROCESS}/spelling.ts`, [
    [
      'layers',
      'escapes inside escapes are read',
      'export const MAX_LAYERS = 3;',
      'export const MAX_LAYERS = 1;',
      'app/broker/echo.test.ts',
    ],
    [
      'escape-percent',
      'percent escapes are read',
      '? readHex(data, end, 2, layers - 1, last)',
      '? NONE',
      'app/broker/echo.test.ts',
    ],
  ]),
  ...inFile(`${PROCESS}/search.ts`, [
    [
      'hold-back',
      'what may be the beginning of a secret waits for the rest',
      'if (hold < data.length) pending = Buffer.from(data.subarray(hold));',
      'if (hold < data.length) out.push(data.subarray(hold));',
      `${PROCESS}/search.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/needles.ts`, [
    [
      'search-stride',
      'no stretch as long as the shortest secret is passed over',
      'const stride = window - gramBytes + 1;',
      'const stride = window - gramBytes + 2;',
      `${PROCESS}/search.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/pump.ts`, [
    [
      'body-backpressure',
      'the reader of a body sets the pace',
      'else if (enough && !paused) {',
      'else if (enough && over) {',
      `${PROCESS}/pump.test.ts`,
    ],
    [
      'body-joined',
      'a body is put together up to a bound only',
      'if (!full && enough) carry(false);',
      'if (!full && over) carry(false);',
      `${PROCESS}/pump.test.ts`,
    ],
    [
      'body-discarded',
      'what had arrived of a body that was given up goes nowhere',
      '    clearImmediate(nextTurn);\n    held = [];\n    if (full)',
      '    if (full)',
      `${PROCESS}/pump.test.ts`,
    ],
    [
      'body-own-memory',
      'what is kept of a body is no longer in the memory that it came in',
      'pass(Buffer.from(chunk));',
      'pass(chunk);',
      `${PROCESS}/pump.test.ts`,
    ],
    [
      'body-frame-alone',
      'a frame is written around a piece only where nothing else of the body lies there',
      'const own = parts.length === 1 ? room : undefined;',
      'const own = room;',
      `${PROCESS}/pump.test.ts`,
    ],
    [
      'body-room-returned',
      'memory is used for another body only once the sink is done with it',
      'return sink.writeWithin(room, start, start + part.length, () => giveRoomBack(room));',
      'giveRoomBack(room);\n    return sink.writeWithin(room, start, start + part.length, () => undefined);',
      `${PROCESS}/pump.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/caller-http2.ts`, [
    [
      'cancelled-without-body',
      'a request over HTTP/2 that its program cancels goes no further, though it has no body',
      "stream.once('aborted', () => over(false));",
      '',
      'app/broker/http2-streams.test.ts',
    ],
  ]),
  ...inFile(`${PROCESS}/call-http2.ts`, [
    [
      'answer-reset-is-no-end',
      'an answer whose stream was reset without an error is not passed on as whole',
      'if (chunk === null) whole ||= !call.closed;',
      'whole = true;',
      'app/broker/http2-streams.test.ts',
    ],
  ]),
  ...inFile(`${PROCESS}/caller-http1.ts`, [
    [
      'interim-before-head',
      'leave to send a body is never written into the body of the answer',
      'if (response.socket === null) response.flushHeaders();',
      '',
      `${PROCESS}/caller-http1.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/once-written.ts`, [
    [
      'body-room-unwritten',
      'memory of a piece that could not be written is not used again',
      'if (failed === undefined || failed === null) done();',
      'done();',
      `${PROCESS}/caller-http1.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/chunk-frame.ts`, [
    [
      'frame-room',
      'a frame is written only where it has room, and never around nothing',
      'if (end <= start || from < 0 || end + FRAME_TAIL_BYTES > room.length)',
      'if (false)',
      `${PROCESS}/chunk-frame.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/gather.ts`, [
    [
      'gather-own-memory',
      'a body that is held does not lie in memory that others are read into',
      'parts.push(Buffer.from(part));',
      'parts.push(part);',
      `${PROCESS}/gather.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/body-steps.ts`, [
    [
      'decode-own-memory',
      'what a decoder still has to read does not lie in memory that others are read into',
      'decoder.write(Buffer.from(chunk))',
      'decoder.write(chunk)',
      `${PROCESS}/gather.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/intake.ts`, [
    [
      'intake-order',
      'what a server says is read in the order in which it came',
      'if (socket.readableLength > 0) return false;',
      '',
      `${PROCESS}/intake.test.ts`,
    ],
    [
      'intake-own-memory',
      'what waits in a stream does not lie in memory that others are read into',
      'return socket.push(Buffer.from(bytes));',
      'return socket.push(bytes);',
      `${PROCESS}/intake.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/http1/connection.ts`, [
    [
      'answer-waits-own-memory',
      'a body that nobody reads yet does not lie in memory that others are read into',
      'const copy = Buffer.from(part);',
      'const copy = part;',
      `${PROCESS}/http1/connection.test.ts`,
    ],
    [
      'upgrade-own-memory',
      'what came with a change of protocols does not lie in memory that others are read into',
      'change(changed, Buffer.from(bytes.subarray(at)));',
      'change(changed, bytes.subarray(at));',
      `${PROCESS}/http1/connection.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/content-decoding.ts`, [
    [
      'coding-order',
      'several codings are taken off in turn',
      '...codings.toReversed().map((coding) => DECODERS[coding]()), guard]',
      '...codings.slice(-1).map((coding) => DECODERS[coding]()), guard]',
      'app/broker/echo.test.ts',
    ],
    [
      'coding-bomb',
      'a body that grows out of all proportion is cut off',
      'if (decoded > BOMB_FLOOR_BYTES && decoded > encoded * MAX_DECODED_RATIO)',
      'if (decoded < 0)',
      `${PROCESS}/content-decoding.test.ts`,
    ],
    [
      'coding-frames',
      'a second frame of zstd is not lost unread',
      "if (decompress.bytesWritten < given) throw new Error('more than one frame of zstd');",
      '',
      `${PROCESS}/content-decoding.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/exchange.ts`, [
    [
      'record-once',
      'an exchange is recorded once',
      'if (finished) return;',
      '',
      `${PROCESS}/exchange.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/recorder.ts`, [
    [
      'record-bound',
      'records that cannot be kept are counted as a gap',
      'lost += 1;\n        return;',
      'return;',
      `${PROCESS}/recorder.test.ts`,
    ],
    [
      'record-one-batch',
      'one batch of records is under way at a time',
      'if (underWay) return;',
      '',
      `${PROCESS}/recorder.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/credential-book.ts`, [
    [
      'book-known',
      'two credentials never share a placeholder',
      'if (credential.grant.parts.some(({ placeholder }) => known.has(placeholder)))',
      'if (known.size < 0)',
      `${PROCESS}/credential-book.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/websocket/frame.ts`, [
    [
      'ws-mask',
      'frames are masked from the client and from nobody else',
      "if (masked !== (from === 'client'))",
      "if (masked === (from === ''))",
      `${PROCESS}/websocket/frame.test.ts`,
    ],
    [
      'ws-reserved',
      'reserved bits mean an extension that was agreed on',
      'if ((reserved & ~allowed) !== 0)',
      'if (reserved < 0)',
      `${PROCESS}/websocket/frame.test.ts`,
    ],
    [
      'ws-control',
      'control frames are short',
      'if (control && length.value > MAX_CONTROL_BYTES)',
      'if (length.value < 0)',
      `${PROCESS}/websocket/frame.test.ts`,
    ],
    [
      'ws-control-whole',
      'control frames are whole',
      'if (control && !fin)',
      'if (control && fin === undefined)',
      `${PROCESS}/websocket/frame.test.ts`,
    ],
    [
      'ws-size',
      'frames have a largest size',
      'if (length > BigInt(MAX_FRAME_BYTES)) {',
      'if (length < 0n) {',
      `${PROCESS}/websocket/frame.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/websocket/handshake.ts`, [
    [
      'ws-accept',
      'the server’s answer fits the handshake’s key',
      'if (accepts.length !== 1 || accepts[0] !== acceptOf(key))',
      'if (accepts.length !== 1)',
      `${PROCESS}/websocket/handshake.test.ts`,
    ],
    [
      'ws-extension',
      'an extension that was not offered is refused',
      "if (read && isExtended(headers)) return wrong('it uses an extension that was not offered');",
      '',
      `${PROCESS}/websocket/handshake.test.ts`,
    ],
    [
      'ws-offer',
      'no compression is offered where frames are read',
      "return !(read && name === 'sec-websocket-extensions');",
      "return name !== '';",
      `${PROCESS}/websocket/handshake.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/websocket/outgoing.ts`, [
    [
      'ws-trip',
      'a placeholder in a control frame trips',
      'const tripped = tripIn(payload);',
      'const tripped = undefined;',
      `${PROCESS}/websocket/flows.test.ts`,
    ],
    [
      'ws-trip-message',
      'a placeholder in messages trips',
      'if (tripped !== undefined) return { tripped };\n    if (waiting === undefined)',
      'if (waiting === undefined)',
      `${PROCESS}/websocket/flows.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/websocket/incoming.ts`, [
    [
      'ws-straddle',
      'a secret cut over messages is found',
      'const piece = straddle.push(wire);',
      'const piece = { bytes: wire, hits: 0 };',
      `${PROCESS}/websocket/flows.test.ts`,
    ],
    [
      'ws-scrub',
      'messages from a server are scrubbed',
      'const found = message.search.push(piece.bytes);',
      'const found = { out: [piece.bytes], hits: [] };',
      `${PROCESS}/websocket/flows.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/websocket/join.ts`, [
    [
      'ws-backpressure',
      'a WebSocket’s reader sets the pace',
      'if (to.writableNeedDrain) way.from.pause();',
      '',
      `${PROCESS}/websocket/join.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/irregular.ts`, [
    [
      'wrap-escaped',
      'line breaks are seen through however they are spelt',
      'if (isBreak(value)) onBreak(place, value, end, layers);\n        });\n        if (!told) tryAll(place, true);',
      'if (isBreak(value)) onBreak(place, value, place + 2, layers);\n        });\n        if (!told) tryAll(place, true);',
      'app/broker/echo.test.ts',
    ],
  ]),
  ...inFile(`${PROCESS}/match-needle.ts`, [
    [
      'wrap-lines',
      'base64 in lines is read through its line breaks',
      'if (!wraps || at === 0 || !isBreak(byte)) break;',
      'if (byte >= 0) break;',
      'app/broker/echo.test.ts',
    ],
  ]),
  ...inFile(`${PROCESS}/credential-book.ts`, [
    [
      'watch-body',
      'watched values do not leave in bodies',
      ': chain(bodyTrip(), createWatchSearch(watching.texts));',
      ': bodyTrip();',
      'app/broker/watch.test.ts',
    ],
    [
      'watch-answer',
      'watched values do not come in with answers',
      'stream: (sameLength) => chain(granted.stream(sameLength), createWatchSearch(texts)),',
      'stream: (sameLength) => granted.stream(sameLength),',
      'app/broker/watch.test.ts',
    ],
  ]),
  ...inFile('app/broker/start-broker.ts', [
    [
      'watch-restart',
      'a broker that was started anew goes on watching',
      'sent = { ...sent, watch: set };',
      '',
      'app/broker/watch.test.ts',
    ],
  ]),
];
