/** Who calls: by token, by the cookie that a page got for a token, or, on a service without tokens, everybody. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { MuseTalkError } from '../core/errors.ts';
import { notReadable } from '../media/sniff.ts';
import { isLoopback } from './net/address.ts';

/** The owner of everything on a service without tokens. */
const LOCAL_OWNER = 'local';

/** The name of the cookie that a page carries. */
export const COOKIE = 'musetalk-session';

/** Seconds that a page stays known. */
const SESSION_SECONDS = 12 * 3600;

interface User {
  readonly name: string;
  readonly digest: Buffer;
}

/** Those who may call, each known by a token. */
export class Users {
  readonly #users: readonly User[];
  readonly #key: Buffer;

  constructor(users: readonly User[], key: Buffer) {
    this.#users = users;
    this.#key = key;
  }

  /** Whether callers must say who they are. */
  get required(): boolean {
    return this.#users.length > 0;
  }

  /** Whose token this is. Every token is compared, each in constant time, so that time tells nothing. */
  byToken(token: string): string | undefined {
    const digest = digestOf(token);
    let found: string | undefined;
    for (const user of this.#users) if (timingSafeEqual(user.digest, digest)) found = user.name;
    return found;
  }

  /**
   * Whose request this is, from its headers.
   *
   * @throws MuseTalkError UNAUTHORIZED.
   */
  ownerOf(headers: Readonly<Record<string, string | string[] | undefined>>): string {
    if (!this.required) return LOCAL_OWNER;
    const bearer = /^Bearer +(\S+)$/i.exec(String(headers.authorization ?? ''))?.[1];
    const token = bearer ?? (typeof headers['x-api-key'] === 'string' ? headers['x-api-key'] : undefined);
    const cookie = cookieOf(String(headers.cookie ?? ''));
    const owner = token === undefined ? cookie && this.#bySession(cookie) : this.byToken(token);
    if (owner !== undefined) return owner;
    throw new MuseTalkError(
      'UNAUTHORIZED',
      token === undefined ? 'a token is needed' : 'the token is not known',
      {
        hint: 'Send it as "Authorization: Bearer …" or as "x-api-key: …".',
      },
    );
  }

  /** A cookie that stands for the owner, for a page that cannot send headers. */
  session(owner: string, secure: boolean): string {
    const until = Math.floor(Date.now() / 1000) + SESSION_SECONDS;
    const said = `${Buffer.from(owner).toString('base64url')}.${until}`;
    const value = `${said}.${this.#sign(said)}`;
    return `${COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${SESSION_SECONDS}${secure ? '; Secure' : ''}`;
  }

  #bySession(value: string): string | undefined {
    const [, said, owner, until, mark] = /^(([\w-]+)\.(\d+))\.([\w-]+)$/.exec(value) ?? [];
    if (said === undefined || !sameText(this.#sign(said), mark!) || Number(until) < Date.now() / 1000)
      return undefined;
    const name = Buffer.from(owner!, 'base64url').toString();
    return this.#users.some((user) => user.name === name) ? name : undefined;
  }

  #sign(text: string): string {
    return createHmac('sha256', this.#key).update(`session ${text}`).digest('base64url');
  }
}

/** Where tokens come from, and from where calls can come. */
export interface UserOptions {
  readonly host: string;
  readonly token?: string | undefined;
  readonly tokens?: string | undefined;
}

/**
 * The users that the options name.
 *
 * @throws MuseTalkError BAD_OPTION when the service would be open to others without a token; NOT_FOUND, BAD_FILE.
 */
export async function readUsers({ host, token, tokens }: UserOptions, key: Buffer): Promise<Users> {
  const users: User[] = [];
  const single = token ?? process.env.MUSETALK_TOKEN;
  if (single) users.push({ name: 'owner', digest: digestOf(single) });
  if (tokens !== undefined) users.push(...(await readTokens(tokens)));
  if (users.length === 0 && !isLoopback(host))
    throw new MuseTalkError('BAD_OPTION', `${host} can be reached by others, and there is no token`, {
      hint: 'Give --token (or MUSETALK_TOKEN), or --tokens with a file; or listen on 127.0.0.1.',
      facts: { host },
    });
  return new Users(users, key);
}

async function readTokens(path: string): Promise<User[]> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw notReadable(path, cause);
  });
  const users = new Map<string, User>();
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, name, token] = /^\s*([\w.@-]{1,64})[\s:]+(\S{8,512})\s*$/.exec(line) ?? [];
    if (name === undefined || users.has(name))
      throw new MuseTalkError(
        'BAD_FILE',
        `${path}: line ${i + 1} is no "user token", or names a user again`,
        {
          hint: 'Write a name, a space and a token of at least 8 characters.',
        },
      );
    users.set(name, { name, digest: digestOf(token!) });
  }
  return [...users.values()];
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function sameText(a: string, b: string): boolean {
  return timingSafeEqual(digestOf(a), digestOf(b));
}

function cookieOf(header: string): string | undefined {
  for (const part of header.split(';')) {
    const [name, value] = part.trim().split('=', 2);
    if (name === COOKIE) return value;
  }
  return undefined;
}
