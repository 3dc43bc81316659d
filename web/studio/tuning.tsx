import { useEffect, useState } from 'preact/hooks';
import { api, type PreviewView, type Settings } from '../api.ts';
import { Field, type OptionValue } from '../parts/field.tsx';
import { Icon } from '../parts/icons.tsx';
import { type OptionSpec, useOptions } from '../parts/schema.ts';
import { t } from '../texts/texts.ts';

interface TuningProps {
  readonly settings: Settings;
  readonly view: PreviewView | undefined;
  readonly change: (settings: Settings) => void;
}

/** What people change first; all other options follow in their groups. */
const MOUTH = ['bboxShift', 'extraMargin', 'parsingMode', 'leftCheekWidth', 'rightCheekWidth'];

/** Options that only count where the face is parsed. */
const PARSED = ['parsingMode', 'leftCheekWidth', 'rightCheekWidth'];

/** Options that mini has no use for. */
const NOT_MINI: ReadonlySet<string> = new Set([
  ...MOUTH,
  ...[
    'faceModel',
    'decoder',
    'latents',
    'seed',
    'compat',
    'audioPaddingLengthLeft',
    'audioPaddingLengthRight',
  ],
]);

const TIME = ['syncMode', 'silence'];

/** Chosen in the picture. */
const ELSEWHERE = ['face'];

/** The column beside the stage: the options, drawn from the service's own description. */
export function Tuning({ settings, view, change }: TuningProps) {
  const options = useOptions();
  const models = useModelNames();
  const known = new Set([...MOUTH, ...TIME, ...ELSEWHERE, 'model']);
  const others = [...options.values()].filter(({ name }) => !known.has(name));
  const model = options.get('model');
  const set = (name: string, value: OptionValue) => {
    const { [name]: _, ...rest } = settings;
    const same = value === undefined || value === options.get(name)?.standard;
    change(same ? rest : { ...rest, [name]: value });
  };
  const mini = view ? view.drawnBy === 'mini' : isMini(settings, models);
  const byLandmarks = !mini && view?.mask === 'landmarks';
  const mouth = byLandmarks ? MOUTH.filter((name) => !PARSED.includes(name)) : MOUTH;
  const field = (spec: OptionSpec | undefined) =>
    spec && (
      <Field
        key={spec.name}
        {...{ spec, value: settings[spec.name], onChange: (value: OptionValue) => set(spec.name, value) }}
        off={(mini && NOT_MINI.has(spec.name)) || isOff(spec.name, settings)}
        sensible={spec.name === 'bboxShift' && !mini ? view?.range : undefined}
      />
    );
  return (
    <div class="tuning">
      <div class="title">
        <h2>{t('tune.title')}</h2>
        {Object.keys(settings).some((name) => name !== 'face') && (
          <button type="button" class="icon words" onClick={() => change(onlyFace(settings))}>
            <Icon name="reset" />
            {t('tune.reset')}
          </button>
        )}
      </div>
      {model &&
        models.length > 0 &&
        field({ ...model, kind: 'choice', choices: ['auto', ...models], group: 'Model' })}
      <h3>{t('tune.mouth')}</h3>
      {mini ? (
        <>
          <p class="aside">{t('tune.mini')}</p>
          <details class="unused">
            <summary>{t('tune.unused')}</summary>
            {mouth.map((name) => field(options.get(name)))}
          </details>
        </>
      ) : (
        mouth.map((name) => field(options.get(name)))
      )}
      {byLandmarks && (
        <p class="aside">
          {t('face.byLandmarks')} <a href="#/models">{t('face.toModels')}</a>
        </p>
      )}
      <h3>{t('tune.time')}</h3>
      {TIME.map((name) => field(options.get(name)))}
      <details>
        <summary>{t('tune.more')}</summary>
        <div class="others">{others.map(field)}</div>
      </details>
    </div>
  );
}

/** Options that the model or another option makes pointless. */
function isOff(name: string, { parsingMode = 'jaw', model }: Settings): boolean {
  if (model === 'musetalk-1.0' && (name === 'extraMargin' || PARSED.includes(name))) return true;
  return name.endsWith('CheekWidth') && parsingMode !== 'jaw';
}

/** Whether mini will draw: where it was chosen, or where nothing else is there to choose. */
function isMini({ model = 'auto' }: Settings, models: readonly string[]): boolean {
  return model === 'mini' || (model === 'auto' && models.length === 1 && models[0] === 'mini');
}

function onlyFace({ face }: Settings): Settings {
  return face === undefined ? {} : { face };
}

/** Names of models that can be used now. */
function useModelNames(): readonly string[] {
  const [names, setNames] = useState<readonly string[]>([]);
  useEffect(() => {
    const isModel = (id: string) => /^(mini|musetalk-)/.test(id);
    api.models().then(
      ({ data }) => setNames(data.filter(({ id, ready }) => ready && isModel(id)).map(({ id }) => id)),
      () => {},
    );
  }, []);
  return names;
}
