import type { Guarantee } from '../contract/index.ts';

/** The promises as the app and the documents show them: what holds in this version, and what is weaker. */
export const GUARANTEES: readonly Guarantee[] = [
  {
    id: 'P1',
    promise: 'No real credential is ever inside the sandbox.',
    state: 'partial',
    note: 'Placeholders inside, real values on the broker’s upstream side only. Answers are searched in headers, trailers and bodies, compressed ones too, in the common encodings; a server that transforms the key in another way could still return it.',
  },
  {
    id: 'P2',
    promise: 'A credential is used only where its grant says.',
    state: 'partial',
    note: 'Host, port, method, path and place in the request are checked at the last moment. Narrowing by time and count comes later.',
  },
  {
    id: 'P3',
    promise: 'No byte leaves except through the broker.',
    state: 'enforced',
    note: 'The sandbox’s network has only a loopback; every connection and name query is captured.',
  },
  {
    id: 'P4',
    promise: 'No private, link-local, metadata or own address is reached unless you name it.',
    state: 'enforced',
    note: 'Names are resolved once outside, every address is judged, and the judged address is the one dialled.',
  },
  {
    id: 'P5',
    promise: 'Your secrets on this machine are not visible inside.',
    state: 'partial',
    note: 'Only the project is mounted; secret files in it are hidden at the start, at any depth. A secret that you put into the project while a session runs is hidden from the next one on.',
  },
  {
    id: 'P6',
    promise: 'Nothing the assistant wrote runs on your machine by itself.',
    state: 'enforced',
    note: 'Git hooks and settings are held back, and Glovebox never runs git inside the working copy. In live mode the project’s own files change at once.',
  },
  {
    id: 'P7',
    promise: 'Your project is unchanged until you accept.',
    state: 'enforced',
    note: 'Writes go to a layer on top of the project. In live mode you have chosen otherwise.',
  },
  {
    id: 'P8',
    promise: 'Everything that crossed the wall is on a record that nobody can quietly edit.',
    state: 'enforced',
    note: 'Append-only, each event chained to the one before. If the guard or the record is lost, the session ends; lost events show as gaps with a count.',
  },
  {
    id: 'P9',
    promise: 'In doubt, deny, and say why.',
    state: 'enforced',
    note: 'Errors, time-outs, crashes, missing rules and questions without an answer all deny, with a code and words.',
  },
  {
    id: 'P10',
    promise: 'When the session ends everything of it is gone, except unreviewed work.',
    state: 'enforced',
    note: 'Containers carry labels; what a dead process left is swept at the next start. Changes stay until you accept or discard them.',
  },
];
