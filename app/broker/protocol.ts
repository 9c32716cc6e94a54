import { z } from 'zod';
import {
  CODE_LIST,
  CredentialDraft,
  DnsDraft,
  EgressDraft,
  GapDraft,
  MAX_MESSAGE_CHARS,
  MAX_SECRET_CHARS,
  Name,
  Question,
  QuestionId,
} from '../contract/index.ts';
import { MAX_BATCH_RECORDS } from './batch.ts';

const Address = z.string().max(64);
const CallId = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

const Flow = z.strictObject({
  protocol: z.enum(['tcp', 'udp']),
  family: z.union([z.literal(4), z.literal(6)]),
  localAddress: Address,
  localPort: z.int().min(0).max(65_535),
  remoteAddress: Address,
  remotePort: z.int().min(0).max(65_535),
});

/** The kinds of event that a broker process may write; all others are the host's. */
export const BrokerDraft = z.discriminatedUnion('kind', [
  EgressDraft,
  DnsDraft,
  CredentialDraft,
  GapDraft,
]);
export type BrokerDraft = z.infer<typeof BrokerDraft>;

/** Broker process to host. Hostile until parsed: the process reads what the sandbox sends. */
export const FromProcess = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready') }),
  z.strictObject({
    type: z.literal('failed'),
    code: z.enum(CODE_LIST),
    message: z.string().max(MAX_MESSAGE_CHARS),
  }),
  z.strictObject({ type: z.literal('linked') }),
  z.strictObject({
    type: z.literal('events'),
    drafts: z.array(BrokerDraft).max(MAX_BATCH_RECORDS),
  }),
  z.strictObject({ type: z.literal('open'), draft: EgressDraft }),
  z.strictObject({ type: z.literal('identify'), id: CallId, flow: Flow }),
  z.strictObject({ type: z.literal('ask'), id: QuestionId, question: Question }),
  /** Whoever waited for the answer is gone. */
  z.strictObject({ type: z.literal('withdraw'), id: QuestionId }),
  z.strictObject({
    type: z.literal('rotated'),
    credential: Name,
    refreshToken: z.string().min(1).max(MAX_SECRET_CHARS),
  }),
  z.strictObject({ type: z.literal('closed') }),
]);
export type FromProcess = z.infer<typeof FromProcess>;
