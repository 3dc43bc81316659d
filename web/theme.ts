/** Light, dark, or as the system has it. */
import { useState } from 'preact/hooks';

/** What the reader chose. */
export type Theme = 'system' | 'light' | 'dark';

const KEY = 'musetalk.theme';
const ORDER: readonly Theme[] = ['system', 'light', 'dark'];

/** Shows the colours that were chosen last. */
export function applyTheme(theme: Theme = keptTheme()): void {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** The choice, and a step to the next one. */
export function useTheme(): [Theme, () => void] {
  const [theme, setTheme] = useState(keptTheme);
  const next = () => {
    const chosen = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length]!;
    localStorage.setItem(KEY, chosen);
    applyTheme(chosen);
    setTheme(chosen);
  };
  return [theme, next];
}

function keptTheme(): Theme {
  const kept = localStorage.getItem(KEY) as Theme | null;
  return kept !== null && ORDER.includes(kept) ? kept : 'system';
}
