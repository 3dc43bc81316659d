import { useRef, useState } from 'preact/hooks';
import { api } from '../api.ts';
import { clock, span } from '../format.ts';
import { Notice } from '../parts/notice.tsx';
import { goTo } from '../route.ts';
import { t } from '../texts/texts.ts';
import { type Draft, useDraft } from './draft.ts';
import { FaceStage } from './face-stage.tsx';
import { useEstimate, usePreview } from './preview.ts';
import { Tuning } from './tuning.tsx';
import { VoiceTrack } from './voice-track.tsx';

/** Where a dub is made: the face on the stage, the voice on its track, the options beside them. */
export function Studio() {
  const [draft, change] = useDraft();
  const preview = usePreview(draft);
  return (
    <main class="page studio">
      <h1 class="for-readers">{t('studio.title')}</h1>
      <FaceStage {...{ draft, preview, change }} />
      <VoiceTrack {...{ draft, change }} />
      <aside class="inspector">
        {draft.face ? (
          <Tuning settings={draft.settings} view={preview.view} change={(settings) => change({ settings })} />
        ) : (
          <div class="hero">
            <p class="loud">{t('studio.hero')}</p>
            <p>{t('studio.heroHint')}</p>
          </div>
        )}
        <Go draft={draft} />
      </aside>
    </main>
  );
}

function Go({ draft }: { draft: Draft }) {
  const { face, voice, settings } = draft;
  const estimate = useEstimate(draft);
  const [error, setError] = useState<unknown>();
  const [going, setGoing] = useState(false);
  // The same click sent twice, by a slow line or an eager finger, makes one dub.
  const key = useRef(newKey());
  const start = async () => {
    setGoing(true);
    setError(undefined);
    try {
      const name = `${stem(face!.name)} · ${stem(voice!.name)}`.slice(0, 200);
      const body = { video: face!.upload, sound: voice!.upload, options: settings, name };
      const { id } = await api.start(body, key.current);
      goTo(`#/dubs/${id}`);
    } catch (caught) {
      setError(caught);
    }
    key.current = newKey();
    setGoing(false);
  };
  const words =
    !face && !voice ? 'dub.needs' : !face ? 'dub.needsFace' : !voice ? 'dub.needsVoice' : undefined;
  return (
    <div class="go">
      {error !== undefined && <Notice error={error} />}
      <p>
        {words
          ? t(words)
          : estimate &&
            t(estimate.waiting > 5 ? 'dub.estimateQueue' : 'dub.estimate', {
              length: clock(estimate.duration, 0),
              time: span(estimate.seconds),
              waiting: span(estimate.waiting),
            })}
      </p>
      <button
        type="button"
        class="button"
        disabled={words !== undefined || going}
        onClick={() => void start()}
      >
        {t('dub.start')}
      </button>
    </div>
  );
}

/** Browsers have randomUUID only on pages that came by a safe way. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-');
}

function stem(name: string): string {
  return name.replace(/\.\w{1,5}$/, '');
}
