/** What bounds the contract's texts and lists, apart from its schemas: for processes that load none. */

export const MAX_PATH_CHARS = 4096;
export const MAX_NAME_CHARS = 128;
export const MAX_HOST_CHARS = 253;
export const MAX_URL_PATH_CHARS = 16_384;
export const MAX_SECRET_CHARS = 65_536;
export const MAX_ARGUMENT_CHARS = 32_768;
export const MAX_ARGUMENTS = 256;
export const MAX_MESSAGE_CHARS = 8192;

export const MAX_ANCESTORS = 16;
export const MAX_PROGRAM_ARGUMENTS = 64;
export const MAX_PROGRAM_ARGUMENT_CHARS = 512;

/** Most questions of one session that are open at once. */
export const MAX_OPEN_QUESTIONS = 16;
/** Most questions that one session may put within a minute: a program that asks and gives up, over and over, wears nobody out. */
export const MAX_QUESTIONS_A_MINUTE = 60;
/** Most refs of one question: a push of more is refused, nobody would read them. */
export const MAX_QUESTION_REFS = 10;
/** Most characters of a repository or a ref that is asked about. */
export const MAX_QUESTION_NAME_CHARS = 256;
/** Most characters of a request's path that a question shows. */
export const MAX_QUESTION_PATH_CHARS = 2048;

export const MAX_QUESTION_ID_CHARS = 32;
export const QUESTION_ID = /^[0-9a-z]{1,16}-[0-9]{1,12}$/;
/** A name the user gives to a thing. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
export const MAX_PORT = 65_535;

/** How far an answer goes: exactly what waits now, or the same until the session's end. */
export const APPROVAL_SCOPES = ['once', 'session'] as const;
/** What became of a question; only `allowed` lets anything pass. */
export const APPROVAL_ANSWERS = ['allowed', 'denied', 'timed-out', 'nobody', 'withdrawn'] as const;
