import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { OutboundRules } from '../src/server/net/outbound.ts';

const read = (name: string) => readFileSync(new URL(`fixtures/tls/${name}`, import.meta.url), 'utf8');

/** A request that came, with its body. */
export interface Received {
  readonly request: IncomingMessage;
  readonly body: string;
}

export interface TlsServer {
  readonly port: number;
  readonly received: Received[];
  /** Rules under which `https://hook.example:port` leads here, as if it were a public host. */
  readonly rules: OutboundRules;
}

/** A server behind https on this machine, closed after the test. */
export async function tlsServer(
  t: TestContext,
  answer: (received: Received, response: ServerResponse) => void,
): Promise<TlsServer> {
  const received: Received[] = [];
  const server = createServer({ key: read('key.pem'), cert: read('cert.pem') }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const one = { request, body: Buffer.concat(chunks).toString() };
      received.push(one);
      answer(one, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const rules = {
    ca: read('cert.pem'),
    allowed: (address: string) => address === '127.0.0.1',
    resolve: async () => [{ address: '127.0.0.1', family: 4 }],
  };
  return { port: (server.address() as AddressInfo).port, received, rules };
}
