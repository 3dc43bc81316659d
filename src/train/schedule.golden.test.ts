// Recorded from diffusers' and PyTorch's schedulers (manifest: train, optim/lr_*).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectClose } from '../../test/close.ts';
import { readNpy } from '../../test/npy.ts';
import { golden } from '../../test/shared.ts';
import { cosineSchedule, linearSchedule } from './schedule.ts';

const { folder, cases } = golden('train');
const recorded = cases.filter(({ name }) => name.startsWith('optim/lr_'));

test('there are recorded rates', () => assert.ok(recorded.length > 0));

for (const { name, what, params, outputs, tolerance } of recorded) {
  test(`the rates agree with upstream's (${name}: ${what.slice(0, 60)}…)`, () => {
    const { lr: rate, warmup: warmUp = 0, total = params.T_max, eta_min: floor = 0 } = params;
    const schedule =
      params.kind === 'linear'
        ? linearSchedule({ rate, warmUp, total })
        : cosineSchedule({ rate, warmUp, total, floor });
    const rows = readNpy(join(folder, outputs.rows as string)).data as Float64Array;
    const updates = rows.filter((_, i) => i % 2 === 0);
    const rates = rows.filter((_, i) => i % 2 === 1);
    expectClose({ data: updates.map(schedule) }, { data: rates }, tolerance, name);
  });
}
