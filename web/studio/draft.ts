/** What lies on the table in the studio, kept in the browser so that a reload loses nothing. */
import { useEffect, useState } from 'preact/hooks';
import { ApiError, api, type Settings } from '../api.ts';

/** A face that was sent. */
export interface DraftFace {
  readonly upload: string;
  readonly name: string;
  /** Seconds of a video; 0 for a picture, or where the browser cannot read it. */
  readonly seconds: number;
}

/** A voice that was sent; its peaks are kept because the service hands no uploads out. */
export interface DraftVoice {
  readonly upload: string;
  readonly name: string;
  readonly seconds: number;
  readonly peaks: readonly number[];
}

/** A dub in the making. */
export interface Draft {
  readonly face?: DraftFace | undefined;
  readonly voice?: DraftVoice | undefined;
  /** What differs from the defaults. */
  readonly settings: Settings;
  /** Second of the video that is shown. */
  readonly time: number;
}

const KEY = 'musetalk.draft';
const EMPTY: Draft = { settings: {}, time: 0 };

/** The draft, and a way to change parts of it. Uploads that the service has let go of are dropped. */
export function useDraft(): [Draft, (change: Partial<Draft>) => void] {
  const [draft, setDraft] = useState(keptDraft);
  const change = (part: Partial<Draft>) =>
    setDraft((before) => {
      const after = { ...before, ...part };
      localStorage.setItem(KEY, JSON.stringify(after));
      return after;
    });
  useEffect(() => {
    for (const part of ['face', 'voice'] as const) {
      const kept = draft[part];
      if (kept)
        api.upload(kept.upload).catch((error: unknown) => {
          if (error instanceof ApiError && error.code === 'NOT_FOUND') change({ [part]: undefined });
        });
    }
  }, []);
  return [draft, change];
}

/** Puts settings on the table: those of a dub that is to be made anew. */
export function keepSettings(settings: Settings): void {
  localStorage.setItem(KEY, JSON.stringify({ ...keptDraft(), settings }));
}

function keptDraft(): Draft {
  try {
    return { ...EMPTY, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Draft>) };
  } catch {
    return EMPTY;
  }
}
