// A network is a function from weights and values to a value. This one has two layers and seeded weights;
// it runs, and its gradients are more graph.
// Run: npx tsx examples/build-a-network.ts
import {
  expectedWeights,
  frozenTensors,
  gradients,
  input,
  linear,
  meanAll,
  runGraph,
  seededTensors,
  silu,
  square,
  type Value,
  Weights,
} from 'musetalk/nn';

/** x: [2, 3] → [2, 1]. The names "hidden" and "out" are those that a checkpoint would have. */
function network(w: Weights, x: Value): Value {
  const h = silu(linear(w.at('hidden'), x, { out: 8 })); // [2, 8]
  return linear(w.at('out'), h, { out: 1 }); // [2, 1]
}

const x = input('x', [2, 3]);
const shapes = expectedWeights((w) => network(w, x)); // hidden.weight: [8, 3], hidden.bias: [8], …
const y = network(new Weights(frozenTensors(seededTensors(shapes))), x);

const loss = meanAll(square(y));
const [dx] = gradients(loss, [x]);

const feeds = { x: { dtype: 'float32', shape: [2, 3], data: Float32Array.of(1, 2, 3, -1, 0, 1) } } as const;
const results = await runGraph({ y, loss, dx: dx! }, feeds);
for (const [name, { shape, data }] of Object.entries(results)) {
  console.log(
    `${name} [${shape.join(', ')}]: ${Array.from(data, Number)
      .map((v) => v.toFixed(4))
      .join(' ')}`,
  );
}
