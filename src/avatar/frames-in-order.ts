/** A frame of any kind. */
interface AnyFrame {
  readonly index: number;
  readonly data: Uint8Array;
}

/** What frames are read from, as `VideoSource` has it. */
interface Frames<F extends AnyFrame> {
  readonly width: number;
  readonly height: number;
  frames(start?: number, end?: number): AsyncGenerator<F, void, undefined>;
}

/** Bytes of pictures that may be held to turn a stretch of video round. */
const TURNED_BYTES = 64 * 2 ** 20;

/**
 * The frames of `video` with the numbers that `order` gives, each with bytes of its own. Decoders only run
 * forward: a stretch that goes forward is one pass, a stretch that goes backward is read in pieces, each decoded
 * forward and given out from its end. Memory depends on the size of the pictures alone.
 */
export async function* framesInOrder<F extends AnyFrame>(
  video: Frames<F>,
  order: Iterable<number>,
): AsyncGenerator<F, void, undefined> {
  const piece = Math.max(2, Math.floor(TURNED_BYTES / (video.width * video.height * 3)));
  const numbers = new Lookahead(order);
  for (let first = numbers.peek(); first !== undefined; first = numbers.peek()) {
    const second = numbers.peek(1);
    if (second !== undefined && second < first) yield* backward(video, takeFalling(numbers, piece));
    else yield* forward(video, numbers);
  }
}

/** Frames as long as the numbers do not fall: one decoder, whose frames may be repeated or passed over. */
async function* forward<F extends AnyFrame>(
  video: Frames<F>,
  numbers: Lookahead,
): AsyncGenerator<F, void, undefined> {
  let wanted = numbers.take()!;
  for await (const frame of video.frames(wanted)) {
    while (frame.index === wanted) {
      const next = numbers.peek();
      const repeated = next === wanted;
      yield repeated ? copyOf(frame) : frame;
      if (next === undefined || next < wanted) return;
      wanted = numbers.take()!;
    }
  }
}

/** Numbers that fall by any step, at most `limit` of them and spanning at most `limit` frames. */
function takeFalling(numbers: Lookahead, limit: number): number[] {
  const taken = [numbers.take()!];
  for (let next = numbers.peek(); next !== undefined; next = numbers.peek()) {
    if (next >= taken.at(-1)! || taken[0]! - next >= limit) break;
    taken.push(numbers.take()!);
  }
  return taken;
}

async function* backward<F extends AnyFrame>(
  video: Frames<F>,
  falling: readonly number[],
): AsyncGenerator<F, void, undefined> {
  const wanted = new Set(falling);
  const held: F[] = [];
  for await (const frame of video.frames(falling.at(-1), falling[0]! + 1)) {
    if (wanted.has(frame.index)) held.push(frame);
  }
  for (let frame = held.pop(); frame !== undefined; frame = held.pop()) yield frame;
}

function copyOf<F extends AnyFrame>(frame: F): F {
  return { ...frame, data: frame.data.slice() };
}

/** An iterator whose next two items can be looked at before they are taken. */
class Lookahead {
  readonly #iterator: Iterator<number>;
  readonly #seen: number[] = [];

  constructor(items: Iterable<number>) {
    this.#iterator = items[Symbol.iterator]();
  }

  peek(at = 0): number | undefined {
    while (this.#seen.length <= at) {
      const { value, done } = this.#iterator.next();
      if (done) return undefined;
      this.#seen.push(value);
    }
    return this.#seen[at];
  }

  take(): number | undefined {
    const item = this.peek();
    this.#seen.shift();
    return item;
  }
}
