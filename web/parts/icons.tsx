/** Line icons of one family: 24 units, strokes of 1.7. */
const PATHS = {
  play: 'M8 5.5v13l10.5-6.5L8 5.5Z',
  pause: 'M8.5 5.5v13M15.5 5.5v13',
  back: 'M15.5 6 9.5 12l6 6M6.5 6v12',
  forward: 'M8.5 6l6 6-6 6M17.5 6v12',
  sound: 'M4.5 9.5v5h3.2L12 18.5v-13L7.7 9.5H4.5ZM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.7 7.7 0 0 1 0 11',
  mute: 'M4.5 9.5v5h3.2L12 18.5v-13L7.7 9.5H4.5ZM16 10l4 4M20 10l-4 4',
  zoom: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM15.5 15.5 20 20M10.5 8v5M8 10.5h5',
  wipe: 'M4 5.5h16v13H4zM12 3v18M14.5 12h3',
  side: 'M4 5.5h16v13H4zM12 5.5v13',
  only: 'M4 5.5h16v13H4z',
  download: 'M12 4v11M7.5 11 12 15.5 16.5 11M5 19.5h14',
  remove: 'M5 7h14M9.5 7V4.5h5V7M7 7l.8 12.5h8.4L17 7M10.3 10.5v5.5M13.7 10.5v5.5',
  plus: 'M12 5v14M5 12h14',
  check: 'M5 12.5 10 17.5 19 7',
  caution: 'M12 4 21 19.5H3L12 4ZM12 10v4.5M12 17.2v.1',
  camera: 'M4 8.5h3.2L9 6h6l1.8 2.5H20v10H4v-10ZM12 16.5a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4Z',
  microphone: 'M12 14.5a3 3 0 0 0 3-3v-5a3 3 0 0 0-6 0v5a3 3 0 0 0 3 3ZM6 11.5a6 6 0 0 0 12 0M12 17.5v3',
  file: 'M12 19V8M7.5 12 12 7.5 16.5 12M5 4.5h14',
  close: 'M6 6l12 12M18 6 6 18',
  keys: 'M3.5 7h17v10h-17zM7 10.5h.1M10.3 10.5h.1M13.6 10.5h.1M17 10.5h.1M8 13.8h8',
  light:
    'M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4',
  dark: 'M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10Z',
  system: 'M4 5.5h16v10.5H4zM9 19.5h6M12 16v3.5',
  reset: 'M5.5 8.5A7.5 7.5 0 1 1 4.6 14M5 4.5v4.2h4.2',
  tune: 'M4 8h9M17 8h3M4 16h3M11 16h9M15 10.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4ZM9 18.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4Z',
} as const;

/** A name of an icon. */
export type IconName = keyof typeof PATHS;

/** An icon beside words; alone in a button, the button carries the words as its label. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg viewBox="0 0 24 24" fill="none" aria-hidden="true" focusable="false">
      <path
        d={PATHS[name]}
        stroke="currentColor"
        stroke-width="1.7"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
