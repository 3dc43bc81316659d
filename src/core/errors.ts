/**
 * Every error that this project throws on purpose, in one table: what went wrong, and how the ends (command
 * line, server) answer it. `docs/errors.md` is printed from this table.
 */
export const ERROR_CODES = {
  /** An option or an argument is missing, unknown or out of range. */
  BAD_OPTION: { exit: 2, status: 400 },
  /** A file or folder that was named does not exist or cannot be read. */
  NOT_FOUND: { exit: 3, status: 404 },
  /** A file is not what was expected (a web page, another network, another kind of media). */
  WRONG_FILE: { exit: 3, status: 422 },
  /** A file is damaged: truncated, contradictory, hostile. */
  BAD_FILE: { exit: 3, status: 422 },
  /** A checkpoint misses tensors, holds unexpected ones, or ones of another shape. */
  BAD_WEIGHTS: { exit: 3, status: 422 },
  /** A limit on size, duration, pixels, memory or time was passed. */
  TOO_LARGE: { exit: 3, status: 413 },
  /** No frame of the source shows a face that could be used. */
  NO_FACE: { exit: 4, status: 422 },
  /** The sound has no samples, or the file has no sound stream. */
  NO_SOUND: { exit: 4, status: 422 },
  /** FFmpeg, ffprobe or another outside program is missing, too old or failed. */
  MEDIA_TOOL: { exit: 5, status: 500 },
  /** Weights that a model needs are not on this machine. */
  MODEL_MISSING: { exit: 5, status: 503 },
  /** Writing failed: disk full, read-only folder, no permission. */
  CANNOT_WRITE: { exit: 6, status: 507 },
  /** A download failed for good. */
  DOWNLOAD: { exit: 7, status: 502 },
  /** Shapes or types of graph values disagree: a mistake in a network definition. */
  GRAPH: { exit: 70, status: 500 },
  /** The inference engine refused a graph, or produced numbers that are not finite. */
  ENGINE: { exit: 70, status: 500 },
} as const satisfies Record<string, { exit: number; status: number }>;

export type ErrorCode = keyof typeof ERROR_CODES;

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
