import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressOf, BUNDLED, MODEL_SETS, NETWORKS, networkOf, networksNamed } from './manifest.ts';

test('every name is its own, and every network that a set names is there', () => {
  const names = [...MODEL_SETS, ...NETWORKS, ...BUNDLED].map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const { needs, uses } of MODEL_SETS) for (const name of [...needs, ...uses]) networkOf(name);
});

test('no two files share a place, and no place leads out of the models folder', () => {
  const paths = NETWORKS.flatMap(({ files }) => files.flatMap(({ path, also = [] }) => [path, ...also]));
  assert.equal(new Set(paths).size, paths.length);
  for (const path of paths) assert.match(path, /^[\w-]+(\.[\w-]+)*(\/[\w-]+(\.[\w-]+)*)?$/);
});

test('hashes are hashes, and names that carry the beginning of one carry the right one', () => {
  for (const { path, sha256 } of NETWORKS.flatMap(({ files }) => files)) {
    if (sha256 !== undefined) assert.match(sha256, /^[0-9a-f]{64}$/);
    // Torch's hub names files so: s3fd-619a316812.pth.
    const start = /-([0-9a-f]{8,10})\.pth$/.exec(path)?.[1];
    if (start) assert.ok(sha256?.startsWith(start), path);
  }
});

test('addresses are https, and a mirror holds all files in one layout', () => {
  for (const file of NETWORKS.flatMap(({ files }) => files)) {
    assert.equal(new URL(addressOf(file)).protocol, 'https:');
    assert.equal(addressOf(file, { base: 'http://host/m/' }), `http://host/m/${file.path}`);
  }
  const [config] = networkOf('sd-vae').files;
  assert.equal(
    addressOf(config!, { hub: 'https://mirror.example/' }),
    'https://mirror.example/stabilityai/sd-vae-ft-mse/resolve/main/config.json',
  );
});

test('a name stands for the networks of a set, or for one network', () => {
  const names = (name: string) => networksNamed(name)?.map((network) => network.name);
  assert.deepEqual(names('musetalk-1.0'), ['unet-1.0', 'sd-vae', 'whisper-tiny']);
  assert.deepEqual(names('taesd'), ['taesd']);
  assert.equal(names('../etc'), undefined);
});
