import { failure } from '../../kit/index.ts';
import { planAnswer, planTrailers, withoutDigests, type AnswerPlan } from './answer.ts';
import { decodedBody, scrubbing, scrubWhole } from './body-steps.ts';
import { lowerName } from './field-name.ts';
import { gather } from './gather.ts';
import { safeTrailers } from './hop.ts';
import type { AnswerHead, ServerAnswer } from './http-call.ts';
import type { HeaderPairs } from './inject.ts';
import { tooLarge, type Passage } from './passage.ts';
import { countingStep, pump, type Step } from './pump.ts';
import type { Refusal } from './refuse.ts';
import type { Scrubber } from './scrub.ts';
import type { UpgradedEnd } from './upgrade.ts';

/** What becomes of what a server says. */
export type ForwardAnswer = {
  readonly onAnswer: (answer: ServerAnswer) => void;
  readonly onInformation: (status: number, headers: HeaderPairs) => void;
  readonly onUpgrade: (
    answer: { readonly status: number; readonly headers: HeaderPairs },
    outer: UpgradedEnd,
  ) => void;
};

/** Carries the answer of one request back to its program: scrubbed, framed anew, streamed with backpressure. */
export const forwardAnswer = (passage: Passage): ForwardAnswer => {
  const { deps, outgoing, caller, exchange, underWay, counts } = passage;
  const { over, fail, broke, answerBroke, later, readable } = passage;
  const { to, head, used } = outgoing;

  const begin = (
    status: number,
    plan: Pick<AnswerPlan, 'reason' | 'headers'>,
    follows: AnswerHead['follows'] = 'more',
  ): void => {
    try {
      caller.begin({ status, reason: plan.reason, headers: plan.headers, follows });
    } catch {
      // Something in the answer that Node would not write again, such as a broken reason phrase.
      fail(failure('egress.upstream-broke', `${to.host} sent an answer that cannot be passed on.`));
    }
  };

  const endAnswer = (scrubber: Scrubber, trailers: HeaderPairs, last?: Buffer): void => {
    const planned = planTrailers(scrubber, safeTrailers(trailers));
    counts.scrubbed += planned.hits;
    caller.end(planned.pairs, last);
  };

  /** Sends a body that is whole in our hands, scrubbed, with its length told. */
  const sendWhole = (
    scrubber: Scrubber,
    status: number,
    plan: Pick<AnswerPlan, 'reason' | 'headers'>,
    parts: readonly Buffer[],
    trailers: HeaderPairs,
  ): void => {
    const { body, hits } = scrubWhole(scrubber.stream(), parts);
    counts.scrubbed += hits;
    counts.bytesIn += body.length;
    const headers = (hits > 0 ? withoutDigests(plan.headers) : plan.headers).filter(
      ([name]) => lowerName(name) !== 'content-length',
    );
    const { reason } = plan;
    begin(
      status,
      { reason, headers: [...headers, ['Content-Length', String(body.length)]] },
      'whole',
    );
    if (!over()) endAnswer(scrubber, trailers, body);
  };

  const holdAnswer = async (answer: ServerAnswer, plan: AnswerPlan): Promise<void> => {
    if (outgoing.answer.type !== 'hold') return;
    const { maxBytes, release } = outgoing.answer;
    const encoding = plan.body.type === 'scrub' ? plan.body.encoding : undefined;
    const gathered = await gather(decodedBody(answer.body, encoding), maxBytes);
    if (over()) return;
    if (gathered.type === 'broke') {
      broke();
      return;
    }
    if (gathered.type === 'too-large') {
      fail(tooLarge('answer', maxBytes, 502), 'allowed');
      return;
    }
    const released = await release({
      status: answer.status,
      headers: plan.headers,
      body: gathered.body,
    });
    if (over()) return;
    if (!released.ok) {
      fail(released.error, 'allowed');
      return;
    }
    const { status, body } = released.value;
    exchange.set({ status });
    // What was minted while the answer was held is a secret too.
    const latest = deps.book.scrubber();
    const headers = planTrailers(latest, withoutDigests(released.value.headers));
    const reason = latest.text(plan.reason);
    counts.scrubbed += headers.hits + reason.hits;
    sendWhole(latest, status, { reason: reason.text, headers: headers.pairs }, [body], []);
  };

  const onAnswer = (answer: ServerAnswer): void => {
    underWay.cancelContinue?.();
    const scrubber = deps.book.scrubber();
    const plan = planAnswer(scrubber, {
      status: answer.status,
      reason: answer.reason,
      headers: answer.headers,
      method: head.method,
      version: caller.version,
      readable: readable(),
    });
    if ('code' in plan) {
      fail(plan, 'allowed');
      return;
    }
    const { body } = plan;
    exchange.set({ status: answer.status });
    counts.scrubbed += plan.hits;
    if (outgoing.answer.type === 'hold') {
      // Unsearched where no secret is held, but decoded all the same: a mediator reads it.
      holdAnswer(answer, plan).catch(passage.bug);
      return;
    }
    if (answer.last && caller.version === 'h2') {
      begin(answer.status, plan, 'nothing');
      return;
    }
    if (body.type === 'scrub' && body.collect) {
      const parts: Buffer[] = [];
      const collect: Step = { push: (chunk) => (parts.push(chunk), []), end: () => [] };
      const ended = (): void => {
        sendWhole(scrubber, answer.status, plan, parts, answer.trailers());
      };
      pump(answer.body, caller.sink, collect, { ended, broke: answerBroke(answer), later });
      return;
    }
    const source = decodedBody(answer.body, body.type === 'scrub' ? body.encoding : undefined);
    const step =
      body.type === 'scrub'
        ? scrubbing(scrubber.stream(body.sameLength), (bytes, hits) => {
            counts.bytesIn += bytes;
            counts.scrubbed += hits;
          })
        : countingStep((bytes) => {
            counts.bytesIn += bytes;
          });
    begin(answer.status, plan);
    if (over()) return;
    pump(source, caller.sink, step, {
      ended: () => endAnswer(scrubber, answer.trailers()),
      broke: answerBroke(answer),
      later,
    });
  };

  const onUpgrade = (
    answer: { readonly status: number; readonly headers: HeaderPairs },
    outer: UpgradedEnd,
  ): void => {
    underWay.cancelContinue?.();
    const { upgrade } = outgoing;
    const refuse = (refusal: Refusal): void => {
      outer.stream.destroy();
      fail(refusal, 'allowed');
    };
    if (upgrade === undefined) {
      const why = `${to.host} changed protocols without being asked.`;
      refuse(failure('egress.upgrade-refused', why));
      return;
    }
    const confirmed = upgrade.by.confirm(upgrade.request, answer);
    if (!confirmed.ok) {
      refuse(confirmed.error);
      return;
    }
    const planned = planTrailers(deps.book.scrubber(), confirmed.value);
    counts.scrubbed += planned.hits;
    exchange.set({ status: answer.status });
    const inner = caller.upgrade(planned.pairs);
    const { request } = upgrade;
    const ends = { request, used, program: outgoing.program, answer, inner, outer, exchange };
    const done = passage.handOver();
    const join = async (): Promise<void> => {
      try {
        await upgrade.by.join(ends);
      } finally {
        inner.stream.destroy();
        outer.stream.destroy();
        done();
      }
    };
    void join();
  };

  return {
    onAnswer,
    onUpgrade,
    onInformation: (status, headers) => {
      const planned = planTrailers(deps.book.scrubber(), safeTrailers(headers));
      counts.scrubbed += planned.hits;
      caller.inform(status, planned.pairs);
    },
  };
};
