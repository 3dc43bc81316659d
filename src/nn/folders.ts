import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Where models are looked for: the folder that is given, else `MUSETALK_MODELS`, else `models` in the user's data
 * folder (`$XDG_DATA_HOME/musetalk` or `~/.local/share/musetalk`; on macOS `~/Library/Application Support/musetalk`,
 * on Windows `%LOCALAPPDATA%\musetalk`).
 */
export function modelsFolder(given?: string): string {
  return given ?? (process.env.MUSETALK_MODELS || join(userFolder('data'), 'models'));
}

/** Where derived files may be kept, to be made again when they are gone: `MUSETALK_CACHE`, else the user's cache folder. */
export function cacheFolder(): string {
  return process.env.MUSETALK_CACHE || userFolder('cache');
}

function userFolder(kind: 'data' | 'cache'): string {
  const home = homedir();
  if (process.platform === 'win32') {
    const local = process.env.LOCALAPPDATA || join(home, 'AppData', 'Local');
    return kind === 'data' ? join(local, 'musetalk') : join(local, 'musetalk', 'cache');
  }
  if (process.platform === 'darwin') {
    return join(home, 'Library', kind === 'data' ? 'Application Support' : 'Caches', 'musetalk');
  }
  const xdg = kind === 'data' ? process.env.XDG_DATA_HOME : process.env.XDG_CACHE_HOME;
  return join(xdg || join(home, kind === 'data' ? '.local/share' : '.cache'), 'musetalk');
}
