/** The page's words in the language that the reader wants. */
import { useSyncExternalStore } from 'preact/compat';
import { en, type TextName } from './en.ts';
import { zh } from './zh.ts';

/** A language of the page. */
export type Language = 'en' | 'zh';

const TEXTS: Readonly<Record<Language, Readonly<Record<TextName, string>>>> = { en, zh };
const KEY = 'musetalk.language';
const listeners = new Set<() => void>();
let language: Language | undefined;

function current(): Language {
  language ??= chosen();
  return language;
}

function chosen(): Language {
  const kept = localStorage.getItem(KEY);
  if (kept === 'en' || kept === 'zh') return kept;
  return navigator.language.startsWith('zh') ? 'zh' : 'en';
}

/** The language now, and a way to change it; what uses it is drawn again. */
export function useLanguage(): [Language, (language: Language) => void] {
  const now = useSyncExternalStore(subscribe, current);
  return [now, setLanguage];
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function setLanguage(next: Language): void {
  language = next;
  localStorage.setItem(KEY, next);
  for (const listener of listeners) listener();
}

/** The language now, for formats of numbers and dates. */
export function languageTag(): string {
  return current() === 'zh' ? 'zh-CN' : 'en';
}

/** The text of that name, with `{names}` filled in. */
export function t(name: TextName, values: Readonly<Record<string, string | number>> = {}): string {
  return TEXTS[current()][name].replace(/\{(\w+)\}/g, (_, key: string) => String(values[key] ?? ''));
}

/** The text of that name where there is one: for names that the service made. */
export function textFor(name: string): string | undefined {
  return Object.hasOwn(en, name) ? t(name as TextName) : undefined;
}
