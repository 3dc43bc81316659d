/**
 * A server of the S3 protocol for tests, in memory: it knows what a client of files needs, and takes nothing whose
 * signature it cannot make itself. Written after the protocol's description, not after the client.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

export interface S3Server {
  readonly endpoint: string;
  /** What is kept, by `bucket/key`. */
  readonly objects: Map<string, Buffer>;
  /** Uploads in parts that were begun and not ended. */
  readonly begun: Map<string, { key: string; parts: Map<number, Buffer> }>;
  /** Requests so far: method and path. */
  readonly calls: string[];
  /** What happens instead of an answer: asked before each call. */
  fault: ((call: string, response: ServerResponse) => boolean) | undefined;
}

const S3_KEYS = { AWS_ACCESS_KEY_ID: 'TESTKEY', AWS_SECRET_ACCESS_KEY: 'test/secret+key' };

/** Sets the keys of the test server for as long as the test runs. */
export function useS3Keys(t: TestContext): void {
  const before = { ...process.env };
  Object.assign(process.env, S3_KEYS);
  t.after(() => {
    for (const name of Object.keys(S3_KEYS)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  });
}

/** Starts one; ended after the test. */
export async function s3Server(t: TestContext, bucket: string): Promise<S3Server> {
  const state: S3Server = {
    ...{ endpoint: '', objects: new Map(), begun: new Map(), calls: [], fault: undefined },
  };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const url = new URL(request.url!, 'http://x');
    const call = `${request.method} ${url.pathname}${url.search}`;
    state.calls.push(call);
    if (state.fault?.(call, response)) return;
    const wrong = signatureFault(request, url, body);
    if (wrong) return refuse(response, 403, wrong);
    const [, name, ...rest] = url.pathname.split('/');
    if (name !== bucket) return refuse(response, 404, 'NoSuchBucket');
    answer(state, request, response, { key: rest.join('/'), query: url.searchParams, body });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(state, { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

interface Asked {
  readonly key: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
}

function answer(s3: S3Server, { method, headers }: IncomingMessage, response: ServerResponse, asked: Asked) {
  const { key, query, body } = asked;
  const uploadId = query.get('uploadId');
  if (method === 'POST' && query.has('uploads')) {
    const id = `u${s3.calls.length}&<`; // a text that must be escaped both ways
    s3.begun.set(id, { key, parts: new Map() });
    return xml(response, `<UploadId>${id.replace('&', '&amp;').replace('<', '&lt;')}</UploadId>`);
  }
  if (uploadId !== null) {
    const upload = s3.begun.get(uploadId);
    if (upload?.key !== key) return refuse(response, 404, 'NoSuchUpload');
    if (method === 'DELETE') {
      s3.begun.delete(uploadId);
      return response.writeHead(204).end();
    }
    if (method === 'PUT') {
      upload.parts.set(Number(query.get('partNumber')), body);
      return response.writeHead(200, { etag: etagOf(body) }).end();
    }
    const named = [
      ...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>&quot;(\w+)&quot;<\/ETag>/g),
    ];
    const parts = named.map(([, number]) => upload.parts.get(Number(number)));
    const fits = named.every(([, , tag], i) => parts[i] && etagOf(parts[i]) === `"${tag}"`);
    if (!fits || parts.length === 0) return refuse(response, 400, 'InvalidPart');
    if (parts.slice(0, -1).some((part) => part!.length < 5 * 2 ** 20))
      return refuse(response, 400, 'EntityTooSmall');
    s3.begun.delete(uploadId);
    s3.objects.set(key, Buffer.concat(parts as Buffer[]));
    return xml(response, '<CompleteMultipartUploadResult></CompleteMultipartUploadResult>');
  }
  if (method === 'PUT') {
    s3.objects.set(key, body);
    return response.writeHead(200, { etag: etagOf(body) }).end();
  }
  if (method === 'DELETE') {
    s3.objects.delete(key);
    return response.writeHead(204).end();
  }
  if (key === '' && query.has('uploads')) return listUploads(s3, query, response);
  if (key === '') return list(s3, query, response);
  const object = s3.objects.get(key);
  if (!object) return refuse(response, 404, 'NoSuchKey');
  const [etag, modified] = [etagOf(object), 'Wed, 01 Jan 2025 00:00:00 GMT'];
  const about = { etag, 'last-modified': modified, 'accept-ranges': 'bytes' };
  if (headers['if-none-match'] === etag) return response.writeHead(304, about).end();
  const range = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '');
  if (!range || (headers['if-range'] && headers['if-range'] !== etag))
    return response
      .writeHead(200, { ...about, 'content-length': object.length })
      .end(method === 'HEAD' ? '' : object);
  const start = range[1] ? Number(range[1]) : object.length - Number(range[2]);
  const end = range[1] && range[2] ? Math.min(Number(range[2]), object.length - 1) : object.length - 1;
  if (start >= object.length) return refuse(response, 416, 'InvalidRange');
  const part = object.subarray(start, end + 1);
  const place = `bytes ${start}-${end}/${object.length}`;
  return response
    .writeHead(206, { ...about, 'content-length': part.length, 'content-range': place })
    .end(part);
}

/** Pages of three, so that every list of tests has several. */
function list({ objects }: S3Server, query: URLSearchParams, response: ServerResponse) {
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter');
  const found = new Map<string, number | undefined>();
  for (const key of [...objects.keys()].filter((one) => one.startsWith(prefix)).sort()) {
    const end = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
    if (end < 0) found.set(key, objects.get(key)!.length);
    else found.set(key.slice(0, end + 1), undefined);
  }
  const after = query.get('continuation-token') ?? '';
  const page = [...found].filter(([key]) => key > after).slice(0, 3);
  const last = page.at(-1)?.[0] ?? '';
  const more = [...found.keys()].some((key) => key > last);
  const rows = page.map(([key, size]) =>
    size === undefined
      ? `<CommonPrefixes><Prefix>${key}</Prefix></CommonPrefixes>`
      : `<Contents><Key>${key}</Key><Size>${size}</Size></Contents>`,
  );
  if (more && page.length > 0) rows.push(`<NextContinuationToken>${last}</NextContinuationToken>`);
  xml(response, `<ListBucketResult><Prefix>${prefix}</Prefix>${rows.join('')}</ListBucketResult>`);
}

function listUploads({ begun }: S3Server, query: URLSearchParams, response: ServerResponse) {
  const escaped = (id: string) => id.replace('&', '&amp;').replace('<', '&lt;');
  const rows = [...begun]
    .filter(([, { key }]) => key.startsWith(query.get('prefix') ?? ''))
    .map(([id, { key }]) => `<Upload><Key>${key}</Key><UploadId>${escaped(id)}</UploadId></Upload>`);
  xml(response, `<ListMultipartUploadsResult>${rows.join('')}</ListMultipartUploadsResult>`);
}

function xml(response: ServerResponse, body: string) {
  response.writeHead(200, { 'content-type': 'application/xml' }).end(body);
}

function refuse(response: ServerResponse, status: number, code: string) {
  response
    .writeHead(status, { 'content-type': 'application/xml' })
    .end(`<Error><Code>${code}</Code></Error>`);
}

function etagOf(bytes: Buffer): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}

/** Signature version 4, as the protocol's documents describe it: what is wrong with a request's, if anything. */
function signatureFault({ method, headers }: IncomingMessage, url: URL, body: Buffer): string | undefined {
  const [, key, day, region, names = '', given = ''] =
    /^AWS4-HMAC-SHA256 Credential=(\w+)\/(\d{8})\/([\w-]+)\/s3\/aws4_request, SignedHeaders=([\w;-]+), Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    ) ?? [];
  if (key !== S3_KEYS.AWS_ACCESS_KEY_ID) return 'InvalidAccessKeyId';
  const date = String(headers['x-amz-date']);
  const time = Date.parse(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (!date.startsWith(day!) || !(Math.abs(time - Date.now()) < 900_000)) return 'RequestTimeTooSkewed';
  if (!names.split(';').includes('host') || !names.includes('x-amz-content-sha256')) return 'AccessDenied';
  const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
  if (headers['x-amz-content-sha256'] !== sha256(body)) return 'XAmzContentSHA256Mismatch';
  const encode = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const query = [...url.searchParams]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
  const listed = names.split(';').map((name) => `${name}:${String(headers[name]).trim()}\n`);
  const canonical = [method, url.pathname, query, listed.join(''), names, sha256(body)].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  const hmac = (secret: string | Buffer, data: string) => createHmac('sha256', secret).update(data).digest();
  const secret = hmac(
    hmac(hmac(hmac(`AWS4${S3_KEYS.AWS_SECRET_ACCESS_KEY}`, day!), region!), 's3'),
    'aws4_request',
  );
  const right = hmac(secret, text);
  return timingSafeEqual(right, Buffer.from(given, 'hex')) ? undefined : 'SignatureDoesNotMatch';
}
