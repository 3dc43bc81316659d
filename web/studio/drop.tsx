import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';

interface DropProps {
  readonly class: string;
  /** Kinds of files that the chooser offers. */
  readonly accept: string;
  readonly label: string;
  readonly onFile: (file: File) => void;
  /** Gets what opens the chooser. */
  readonly children: (choose: () => void) => ComponentChildren;
}

/** A place on which a file can be dropped, and from which a chooser opens. */
export function Drop({ accept, label, onFile, children, class: name }: DropProps) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  return (
    <section
      class={over ? `${name} over` : name}
      aria-label={label}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        const [file] = event.dataTransfer?.files ?? [];
        if (file) onFile(file);
      }}
    >
      <input
        {...{ ref: input, type: 'file', accept, hidden: true, tabIndex: -1, 'aria-label': label }}
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          event.currentTarget.value = '';
          if (file) onFile(file);
        }}
      />
      {children(() => input.current?.click())}
    </section>
  );
}
