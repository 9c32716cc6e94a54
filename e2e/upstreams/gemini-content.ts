/** One answer of the Gemini service: a whole one, or one piece of a stream. */
const contentOf = (text: string) => ({
  candidates: [{ content: { role: 'model', parts: [{ text }] }, finishReason: 'STOP', index: 0 }],
  usageMetadata: { promptTokenCount: 42, candidatesTokenCount: 17, totalTokenCount: 59 },
  modelVersion: 'stand-in',
});

/** What the client's own question about the task's difficulty is answered with. */
const CLASSIFIED = JSON.stringify({ complexity_reasoning: 'simple', complexity_score: 10 });

/** The answer to a request of this path: events for `streamGenerateContent`, JSON for the others. */
export const geminiAnswer = (
  path: string,
  says: string,
): { readonly type: string; readonly body: string } => {
  if (path.includes(':streamGenerateContent')) {
    const events = [says.slice(0, 6), says.slice(6)].map(
      (piece) => `data: ${JSON.stringify(contentOf(piece))}\r\n\r\n`,
    );
    return { type: 'text/event-stream', body: events.join('') };
  }
  const answer = path.includes(':countTokens') ? { totalTokens: 42 } : contentOf(CLASSIFIED);
  return { type: 'application/json', body: JSON.stringify(answer) };
};
