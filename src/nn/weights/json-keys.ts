/**
 * The keys of the outermost object in a JSON text, in order and with repetitions, which `JSON.parse` hides.
 * The text must be valid JSON.
 */
export function* keysOfJsonObject(text: string): Generator<string> {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') depth--;
    else if (character === '"') {
      const end = endOfString(text, at);
      if (depth === 1 && isFollowedByColon(text, end)) yield JSON.parse(text.slice(at, end));
      at = end - 1;
    }
  }
}

/** The position after the closing quote of the string that opens at `start`. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

function isFollowedByColon(text: string, start: number): boolean {
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (character === ':') return true;
    if (character !== ' ' && character !== '\n' && character !== '\r' && character !== '\t') return false;
  }
  return false;
}
