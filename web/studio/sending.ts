/** Sends a file and knows how far it is. */
import { useRef, useState } from 'preact/hooks';
import { sendFile } from '../api.ts';

/** A file on its way, or what went wrong with the last one. */
export interface Sending {
  readonly name?: string | undefined;
  /** 0 … 1. */
  readonly share: number;
  readonly error?: unknown;
}

/** Sends one file at a time; a new one takes the place of the last. */
export function useSending(): {
  readonly sending: Sending;
  readonly send: (file: Blob, name: string) => Promise<string | undefined>;
  readonly clear: () => void;
} {
  const [sending, setSending] = useState<Sending>({ share: 0 });
  const running = useRef<AbortController | null>(null);
  const send = async (file: Blob, name: string) => {
    running.current?.abort();
    const own = new AbortController();
    running.current = own;
    setSending({ name, share: 0 });
    try {
      const onProgress = (share: number) => {
        if (!own.signal.aborted) setSending({ name, share });
      };
      const id = await sendFile(file, name, { onProgress, signal: own.signal });
      setSending({ share: 0 });
      return id;
    } catch (error) {
      if (!own.signal.aborted) setSending({ share: 0, error });
      return undefined;
    }
  };
  return { sending, send, clear: () => setSending({ share: 0 }) };
}
