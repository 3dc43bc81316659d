/** Asks for the preview that belongs to the settings now, and keeps the last one until it is there. */
import { useEffect, useState } from 'preact/hooks';
import { ApiError, api, type EstimateView, type PreviewView, type Settings } from '../api.ts';
import type { Draft } from './draft.ts';

/** A preview, and whether a newer one is on its way. */
export interface PreviewState {
  readonly view?: PreviewView | undefined;
  readonly error?: unknown;
  readonly pending: boolean;
}

/** Milliseconds without a change before the service is asked. */
const REST = 160;

/** The preview of the draft's face. */
export function usePreview({ face, settings, time }: Draft): PreviewState & { readonly retry: () => void } {
  const [state, setState] = useState<PreviewState>({ pending: false });
  const [tries, setTries] = useState(0);
  const video = face?.upload;
  const asked = JSON.stringify([video, time, settings]);
  useEffect(() => setState({ pending: video !== undefined }), [video]);
  useEffect(() => {
    if (video === undefined) return;
    setState((before) => ({ ...before, pending: true }));
    return soon(async (signal) => {
      try {
        const view = await api.preview({ video, time, options: settings }, signal);
        setState({ view, pending: false });
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && error.code === 'RATE_LIMITED')
          setTimeout(() => setTries((n) => n + 1), 1500);
        else setState(({ view }) => ({ view, error, pending: false }));
      }
    }, REST);
  }, [asked, tries]);
  return { ...state, retry: () => setTries((n) => n + 1) };
}

/** How long the draft's dub would take; undefined until it is known. */
export function useEstimate({ face, voice, settings }: Draft): EstimateView | undefined {
  const [estimate, setEstimate] = useState<EstimateView>();
  const [video, sound] = [face?.upload, voice?.upload];
  const { syncMode, fps, model } = settings;
  useEffect(() => {
    setEstimate(undefined);
    if (video === undefined || sound === undefined) return;
    return soon(async (signal) => {
      const given = Object.entries({ syncMode, fps, model }).filter(([, value]) => value !== undefined);
      const options = Object.fromEntries(given) as Settings;
      setEstimate(await api.estimate({ video, sound, options }, signal).catch(() => undefined));
    }, 400);
  }, [video, sound, syncMode, fps, model]);
  return estimate;
}

/** Runs something after a rest, unless it is called off; gives what calls it off. */
function soon(run: (signal: AbortSignal) => Promise<void>, wait: number): () => void {
  const off = new AbortController();
  const timer = setTimeout(() => void run(off.signal), wait);
  return () => {
    clearTimeout(timer);
    off.abort();
  };
}
