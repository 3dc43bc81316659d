/**
 * Every error that this project throws on purpose, in one table: what went wrong, and how the ends (command
 * line, server) answer it. `docs/errors.md` is printed from this table.
 */
export const ERROR_CODES = {
  BAD_OPTION: {
    exit: 2,
    status: 400,
    meaning: 'An option or an argument is missing, unknown or out of range.',
  },
  NOT_FOUND: {
    exit: 3,
    status: 404,
    meaning: 'A file or folder that was named does not exist or cannot be read.',
  },
  WRONG_FILE: {
    exit: 3,
    status: 422,
    meaning: 'A file is not what was expected (a web page, another network, another kind of media).',
  },
  BAD_FILE: {
    exit: 3,
    status: 422,
    meaning: 'A file is damaged: truncated, contradictory, hostile.',
  },
  BAD_WEIGHTS: {
    exit: 3,
    status: 422,
    meaning: 'A checkpoint misses tensors, holds unexpected ones, or ones of another shape.',
  },
  TOO_LARGE: {
    exit: 3,
    status: 413,
    meaning: 'A limit on size, duration, pixels, memory or time was passed.',
  },
  NO_FACE: {
    exit: 4,
    status: 422,
    meaning: 'No frame of the source shows a face that could be used.',
  },
  NO_SOUND: {
    exit: 4,
    status: 422,
    meaning: 'The sound has no samples, or the file has no sound stream.',
  },
  MEDIA_TOOL: {
    exit: 5,
    status: 500,
    meaning: 'FFmpeg, ffprobe or another outside program is missing, too old or failed.',
  },
  MODEL_MISSING: {
    exit: 5,
    status: 503,
    meaning: 'Weights that a model needs are not on this machine.',
  },
  CANNOT_WRITE: {
    exit: 6,
    status: 507,
    meaning: 'Writing failed: disk full, read-only folder, no permission.',
  },
  DOWNLOAD: {
    exit: 7,
    status: 502,
    meaning: 'A download failed for good.',
  },
  UNAUTHORIZED: {
    exit: 8,
    status: 401,
    meaning: 'A request came without a token that is known, or from a page of another origin.',
  },
  FORBIDDEN: {
    exit: 8,
    status: 403,
    meaning: 'The caller may not do this.',
  },
  CONFLICT: {
    exit: 8,
    status: 409,
    meaning: 'It cannot be done now, because of what is already there or under way.',
  },
  RATE_LIMITED: {
    exit: 8,
    status: 429,
    meaning: 'Too many requests in too short a time.',
  },
  QUEUE_FULL: {
    exit: 8,
    status: 429,
    meaning: 'As many jobs wait as may wait, of one user or of all.',
  },
  STORAGE_FULL: {
    exit: 8,
    status: 413,
    meaning: 'As many bytes are kept as one user may keep.',
  },
  TIMEOUT: {
    exit: 8,
    status: 408,
    meaning: 'The other side was silent, or too slow, for longer than is waited.',
  },
  ADDRESS_REFUSED: {
    exit: 8,
    status: 422,
    meaning:
      'An address that this service does not call: not https, not on the list, or inside a private network.',
  },
  WORKER_LOST: {
    exit: 70,
    status: 500,
    meaning: 'A process that worked on a job ended, or fell silent, before the job did.',
  },
  WORK_MISSING: {
    exit: 70,
    status: 500,
    meaning: 'What an earlier step left for a later one is not there, or is not whole.',
  },
  UNAVAILABLE: {
    exit: 8,
    status: 503,
    meaning: 'The service is starting, stopping, or has no room on its disk.',
  },
  GRAPH: {
    exit: 70,
    status: 500,
    meaning: 'Shapes or types of graph values disagree: a mistake in a network definition.',
  },
  ENGINE: {
    exit: 70,
    status: 500,
    meaning: 'The inference engine refused a graph, or produced numbers that are not finite.',
  },
} as const satisfies Record<string, { exit: number; status: number; meaning: string }>;

/** A key of {@link ERROR_CODES}: what programs tell errors apart by. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** What stands beside the message of an error. */
export interface ErrorDetails {
  /** One sentence that says what the user can do about it. */
  hint?: string | undefined;
  /** The numbers and names in the message, for programs. */
  facts?: Readonly<Record<string, unknown>> | undefined;
  cause?: unknown;
}

/**
 * An error of this project. `message` names the thing and the cause in one sentence, `hint` the remedy.
 *
 * An abort is no error of ours: the signal's own reason passes through unchanged.
 */
export class MuseTalkError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, { hint, facts = {}, cause }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'MuseTalkError';
    this.code = code;
    this.hint = hint;
    this.facts = facts;
  }
}
