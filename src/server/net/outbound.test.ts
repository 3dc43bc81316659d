import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { INNER_HOSTS } from '../../../test/inner-hosts.ts';
import { spokenWav } from '../../../test/service.ts';
import { tlsServer } from '../../../test/tls-server.ts';
import { isPublic } from './address.ts';
import { inputFetcher } from './fetch-input.ts';
import { checkAddress } from './outbound.ts';

test('addresses that are not of the public internet are known in every range', () => {
  const inside = [
    ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.255.255.254', '169.254.169.254', '172.16.0.1'],
    ...['172.31.255.255', '192.0.0.1', '192.168.1.1', '198.18.0.1', '224.0.0.1', '255.255.255.255'],
    ...[
      '::',
      '::1',
      '::ffff:127.0.0.1',
      '::ffff:10.0.0.1',
      '::127.0.0.1',
      '64:ff9b::7f00:1',
      'fe80::1',
      'fc00::1',
    ],
    ...['fd00:ec2::254', 'ff02::1', '2001:db8::1', '2002:7f00:1::', '2001:0:1::', '3fff::1', 'nonsense', ''],
  ];
  for (const address of inside) assert.equal(isPublic(address), false, address);
  for (const address of [
    '1.1.1.1',
    '8.8.8.8',
    '172.32.0.1',
    '192.167.1.1',
    '2606:4700::1111',
    '2a00:1450::1',
  ])
    assert.equal(isPublic(address), true, address);
});

test('every way of writing an inner address is seen through', async () => {
  for (const form of INNER_HOSTS)
    await assert.rejects(checkAddress(`https://${form}/x`, {}), { code: 'ADDRESS_REFUSED' }, form);
});

test('other schemes, names inside, ports and names with a password are refused', async () => {
  const wrong = [
    ...[
      'http://1.1.1.1/',
      'file:///etc/passwd',
      'rtsp://1.1.1.1/',
      'ftp://1.1.1.1/',
      'gopher://1.1.1.1/',
      'data:,x',
    ],
    ...[
      'https://user:pw@1.1.1.1/',
      'https://1.1.1.1:22/',
      'https://1.1.1.1:6379/',
      '//1.1.1.1',
      'no address',
      '',
    ],
  ];
  for (const url of wrong) await assert.rejects(checkAddress(url, {}), { code: 'ADDRESS_REFUSED' }, url);
  const resolve = async () => [
    { address: '1.1.1.1', family: 4 },
    { address: '10.0.0.1', family: 4 },
  ];
  await assert.rejects(checkAddress('https://both.example/', { resolve }), { code: 'ADDRESS_REFUSED' });
  const hosts = ['media.example', '*.cdn.example'];
  const open = async () => [{ address: '1.1.1.1', family: 4 }];
  for (const host of ['other.example', 'media.example.evil.example', 'cdn.example', 'xmedia.example'])
    await assert.rejects(
      checkAddress(`https://${host}/`, { hosts, resolve: open }),
      { code: 'ADDRESS_REFUSED' },
      host,
    );
  for (const host of ['media.example', 'MEDIA.example.', 'a.cdn.example'])
    assert.equal(
      (await checkAddress(`https://${host}/`, { hosts, resolve: open })).address.address,
      '1.1.1.1',
    );
});

async function fetching(
  t: TestContext,
  answer: Parameters<typeof tlsServer>[1],
  more: { timeout?: number } = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'fetch-'));
  t.after(() => rm(folder, { recursive: true }));
  const server = await tlsServer(t, answer);
  const looked: string[] = [];
  const resolve = async (host: string) => {
    looked.push(host);
    // Names that change between check and use find the first answer pinned.
    if (host === 'inside.media.example' || looked.filter((name) => name === host).length > 1)
      return [{ address: '10.0.0.1', family: 4 }];
    return [{ address: '127.0.0.1', family: 4 }];
  };
  const hosts = ['media.example', '*.media.example'];
  const fetcher = inputFetcher({ ...server.rules, resolve, hosts, ...more });
  const path = join(folder, 'file');
  const get = (url: string, limit = 1e6) => fetcher(url.replace('PORT', String(server.port)), path, limit);
  return { get, path, folder, looked, server };
}

test('an input is fetched from the address that was checked; its name is asked for once', async (t) => {
  const { get, path, looked } = await fetching(t, (_, response) => response.end(spokenWav()));
  await get('https://media.example:PORT/a.wav');
  assert.deepEqual(await readFile(path), spokenWav());
  assert.deepEqual(looked, ['media.example']);
});

test('every redirect is checked as the first address was', async (t) => {
  const to = (location: string) => location;
  const places: Record<string, string> = {
    '/meta': to('https://169.254.169.254/latest/meta-data'),
    '/plain': to('http://media.example/'),
    '/file': to('file:///etc/passwd'),
    '/other': to('https://elsewhere.example/'),
    '/inside': to('https://inside.media.example/'),
    '/decimal': to('https://2130706433/'),
    '/rtsp': to('rtsp://media.example/'),
  };
  const { get, folder } = await fetching(t, ({ request }, response) => {
    response.writeHead(302, { location: places[request.url!] ?? '/loop' }).end();
  });
  let host = 0;
  for (const path of Object.keys(places))
    await assert.rejects(
      get(`https://h${host++}.media.example:PORT${path}`),
      { code: 'ADDRESS_REFUSED' },
      path,
    );
  await assert.rejects(get(`https://h${host++}.media.example:PORT/loop`), { code: 'ADDRESS_REFUSED' });
  assert.deepEqual(await readdir(folder), []);
});

test('what is too large, too slow, cut off or no media leaves nothing', async (t) => {
  const cases: [string, string, (response: import('node:http').ServerResponse) => void][] = [
    ['/declared', 'TOO_LARGE', (response) => response.writeHead(200, { 'content-length': 1e12 }).write('x')],
    [
      '/endless',
      'TOO_LARGE',
      (response) => void setInterval(() => response.write(Buffer.alloc(6e5)), 1).unref(),
    ],
    ['/slow', 'TIMEOUT', (response) => void response.write('RIFF')],
    [
      '/cut',
      'DOWNLOAD',
      (response) => response.writeHead(200, { 'content-length': 100 }).write('x', () => response.destroy()),
    ],
    ['/page', 'WRONG_FILE', (response) => response.end('<!doctype html><p>not found')],
    ['/missing', 'DOWNLOAD', (response) => response.writeHead(404).end()],
    ['/playlist', 'WRONG_FILE', (response) => response.end('#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n')],
  ];
  const answers = new Map(cases.map(([path, , answer]) => [path, answer]));
  const { get, folder } = await fetching(t, ({ request }, response) => answers.get(request.url!)!(response), {
    timeout: 1,
  });
  for (const [i, [path, code]] of cases.entries())
    await assert.rejects(get(`https://c${i}.media.example:PORT${path}`), { code }, path);
  assert.deepEqual(await readdir(folder), []);
});
