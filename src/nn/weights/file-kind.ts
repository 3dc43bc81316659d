/** What the first bytes of a file say it is. */
export type FileKind =
  | { readonly is: 'safetensors' | 'pytorch-zip' | 'pytorch-legacy' | 'pytorch-tar' }
  /** A known kind of file that is no checkpoint, in words that follow "this is". */
  | { readonly is: 'other'; readonly what: string; readonly hint?: string };

/** Bytes from the start of a file that `fileKind` wants to see, if the file has them. */
export const KIND_BYTES = 512;

/** Members of the tar files that torch 0.1 wrote; the first one in the file is one of these. */
const TAR_MEMBERS = ['sys_info', 'pickle', 'tensors', 'storages'];

const FETCH_AGAIN = 'Fetch the file again: what came was not the model.';

/** Files that people give by mistake: their first bytes and what to call them. */
const STRANGERS: readonly (readonly [start: string, what: string])[] = [
  ['\x89PNG', 'a PNG image'],
  ['\xff\xd8\xff', 'a JPEG image'],
  ['\x89HDF', 'an HDF5 file (Keras or PyTables)'],
  ['GGUF', 'a GGUF file (llama.cpp)'],
  ['lmgg', 'a GGML file (whisper.cpp)'],
  ['\x93NUMPY', 'a NumPy array'],
  ['\x1f\x8b', 'a gzip archive: unpack it first'],
  ['7z\xbc\xaf', 'a 7-Zip archive: unpack it first'],
  ['Rar!', 'a RAR archive: unpack it first'],
  ['\x08\x07\x12\x07pytorch', 'an ONNX model'],
];

/**
 * Tells the kind of a file from its first bytes, never from its name; `undefined` when they are unknown.
 *
 * A stream file is recognised by the shape of its first pickle (one long integer) and not by the number in it,
 * so that the reader can say that the number is wrong.
 */
export function fileKind(head: Uint8Array): FileKind | undefined {
  const text = latin1(head);
  if (text.startsWith('PK\x03\x04')) return { is: 'pytorch-zip' };
  if (startsWithPickle(head) && text.startsWith('\x8a\x0a', 2)) return { is: 'pytorch-legacy' };
  if (text.startsWith('ustar', 257) || TAR_MEMBERS.some((name) => text.startsWith(`${name}\0`))) {
    return { is: 'pytorch-tar' };
  }
  if (text.startsWith('version https://git-lfs')) return gitLfsPointer(text);
  if (/^(\xef\xbb\xbf)?\s*<(!doctype|html|\?xml|!--|head|body)/i.test(text)) {
    return { is: 'other', what: 'a web page (HTML)', hint: FETCH_AGAIN };
  }
  const stranger = STRANGERS.find(([start]) => text.startsWith(start));
  if (stranger !== undefined) return { is: 'other', what: stranger[1] };
  if (looksLikeSafetensors(head)) return { is: 'safetensors' };
  if (/^\s*[{[]/.test(text)) return { is: 'other', what: 'a JSON text', hint: FETCH_AGAIN };
  if (startsWithPickle(head)) return { is: 'other', what: 'an ordinary pickle without the magic number' };
  return undefined;
}

function gitLfsPointer(text: string): FileKind {
  const size = /^size (\d{1,20})$/m.exec(text)?.[1];
  const real = size === undefined ? 'the real file' : `the real file (${size} bytes)`;
  return {
    is: 'other',
    what: `a Git LFS pointer: ${real} was not fetched`,
    hint: 'Run "git lfs pull", or download the file itself.',
  };
}

/** A length, whatever it is, then the bracket that opens JSON: the reader says what is wrong with either. */
function looksLikeSafetensors(head: Uint8Array): boolean {
  return head[8] === 0x7b || head[8] === 0x5b;
}

/** The opcode that opens a pickle, then its protocol. */
function startsWithPickle(head: Uint8Array): boolean {
  return head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5;
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, KIND_BYTES));
}
