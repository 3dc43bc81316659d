// Builds the page into dist/web: plain files that the service hands out under a policy without inline code.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** What is bundled and asks that its licence stands beside it. */
const BUNDLED = [
  'preact',
  'tus-js-client',
  '@fontsource-variable/bricolage-grotesque',
  '@fontsource-variable/hanken-grotesk',
];

const licences: Plugin = {
  name: 'licences',
  generateBundle() {
    const texts = BUNDLED.map(
      (name) => `${name}\n\n${readFileSync(at(`../node_modules/${name}/LICENSE`), 'utf8').trim()}\n`,
    );
    this.emitFile({ type: 'asset', fileName: 'licences.txt', source: texts.join('\n\n') });
  },
};

export default defineConfig({
  root: at('.'),
  base: './',
  plugins: [licences],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: at('../dist/web'),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
