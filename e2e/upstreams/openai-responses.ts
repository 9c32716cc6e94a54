import { z } from 'zod';

/** The part of a Responses request that the stand-in looks at; the rest passes. */
const ResponsesRequest = z.looseObject({
  model: z.string(),
  input: z.union([z.string(), z.array(z.unknown())]),
});

const WORDS_PER_DELTA = 3;

/** What the service sends for one request, in order: server-sent events, or text frames of a WebSocket. */
export const responsesEvents = (
  request: unknown,
  says: string,
): readonly ({ readonly type: string } & Record<string, unknown>)[] => {
  const { model } = ResponsesRequest.parse(request);
  const item = {
    id: 'msg_standin00000000',
    type: 'message',
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text: says, annotations: [] }],
  };
  const response = {
    id: 'resp_standin0000000',
    object: 'response',
    created_at: 1_767_225_600,
    model,
    status: 'in_progress',
    output: [],
  };
  const part = { item_id: item.id, output_index: 0, content_index: 0 };
  const words = says.match(/\S+\s*/g) ?? [says];
  const deltas = Array.from({ length: Math.ceil(words.length / WORDS_PER_DELTA) }, (_, at) => ({
    type: 'response.output_text.delta',
    ...part,
    delta: words.slice(at * WORDS_PER_DELTA, (at + 1) * WORDS_PER_DELTA).join(''),
  }));
  return [
    { type: 'response.created', response },
    {
      type: 'response.output_item.added',
      output_index: 0,
      item: { ...item, status: 'in_progress', content: [] },
    },
    {
      type: 'response.content_part.added',
      ...part,
      part: { type: 'output_text', text: '', annotations: [] },
    },
    ...deltas,
    { type: 'response.output_text.done', ...part, text: says },
    { type: 'response.output_item.done', output_index: 0, item },
    {
      type: 'response.completed',
      response: {
        ...response,
        status: 'completed',
        output: [item],
        usage: {
          input_tokens: 42,
          input_tokens_details: { cached_tokens: 0 },
          output_tokens: 17,
          output_tokens_details: { reasoning_tokens: 0 },
          total_tokens: 59,
        },
      },
    },
  ];
};
