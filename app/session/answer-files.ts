import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { QuestionId, Reply } from '../contract/index.ts';
import { randomId } from '../kit/index.ts';

/** Most bytes of one answer's file. */
export const MAX_ANSWER_BYTES = 1024;

/** Leaves an answer for the process that runs the session. Throws what the file system throws. */
export const writeAnswer = (folder: string, id: QuestionId, reply: Reply): void => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = join(folder, `.${randomId(6)}`);
  writeFileSync(draft, JSON.stringify(reply), { mode: 0o600, flag: 'wx' });
  renameSync(draft, join(folder, id));
};

const readReply = (path: string): Reply | undefined => {
  try {
    if (statSync(path).size > MAX_ANSWER_BYTES) return undefined;
    const reply = Reply.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    return reply.success ? reply.data : undefined;
  } catch {
    // No answer that can be read is no answer.
    return undefined;
  }
};

/** Takes the answers that lie there, each once; what is none is thrown away. */
export const takeAnswers = (
  folder: string,
): readonly { readonly id: QuestionId; readonly reply: Reply }[] => {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return []; // Nobody has answered anything yet.
  }
  return names.flatMap((name) => {
    const id = QuestionId.safeParse(name);
    if (!id.success) return [];
    const path = join(folder, name);
    const reply = readReply(path);
    rmSync(path, { force: true });
    return reply === undefined ? [] : [{ id: id.data, reply }];
  });
};
