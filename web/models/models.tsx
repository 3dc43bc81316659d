import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api, type ModelView } from '../api.ts';
import { percent, size } from '../format.ts';
import { Icon } from '../parts/icons.tsx';
import { Mouth, type MouthShape } from '../parts/mouth.tsx';
import { Notice } from '../parts/notice.tsx';
import { t, textFor } from '../texts/texts.ts';

/** What draws mouths; the other models help. */
const DRAWERS: Readonly<Record<string, MouthShape>> = {
  mini: { open: 0.3, wide: 0.78 },
  'musetalk-1.5': { open: 0.85, wide: 0.58 },
  'musetalk-1.0': { open: 0.52, wide: 0.92 },
};

/** Which models are there, and fetching of those that are not. */
export function Models() {
  const { models, error, look } = useModels();
  const drawers = models?.filter(({ id }) => id in DRAWERS);
  const helpers = models?.filter(({ id }) => !(id in DRAWERS));
  return (
    <main class="page models">
      <header>
        <div>
          <h1>{t('models.title')}</h1>
          <p>{t('models.hint')}</p>
        </div>
      </header>
      {error !== undefined && <Notice error={error} />}
      <ul class="drawers">
        {drawers?.map((model) => (
          <Model key={model.id} {...{ model, look }} sign={<Sign model={model} />} />
        ))}
      </ul>
      {helpers && helpers.length > 0 && (
        <section>
          <h2>{t('models.helpers')}</h2>
          <ul class="helpers">
            {helpers.map((model) => (
              <Model key={model.id} {...{ model, look }} />
            ))}
          </ul>
        </section>
      )}
    </main>
  );
}

/** A mouth that is filled as far as the model's files are here. */
function Sign({ model: { id, ready, files } }: { model: ModelView }) {
  const needed = files.filter(({ optional }) => !optional);
  const here = needed.reduce((sum, { bytes, size }) => sum + Math.min(bytes, size), 0);
  const size = needed.reduce((sum, file) => sum + file.size, 0);
  const share = ready ? 1 : size > 0 ? here / size : 0;
  return (
    <div class="sign">
      <Mouth {...DRAWERS[id]} />
      <span style={{ clipPath: `inset(${100 * (1 - share)}% 0 0 0)` }}>
        <Mouth {...DRAWERS[id]} />
      </span>
    </div>
  );
}

function useModels() {
  const [models, setModels] = useState<readonly ModelView[]>();
  const [error, setError] = useState<unknown>();
  const look = () => api.models().then(({ data }) => setModels(data), setError);
  const isBusy = models?.some(({ pull }) => pull?.state === 'running') ?? false;
  useEffect(() => {
    void look();
    if (!isBusy) return;
    const timer = setInterval(look, 1000);
    return () => clearInterval(timer);
  }, [isBusy]);
  return { models, error, look };
}

function Model({
  model,
  look,
  sign,
}: {
  model: ModelView;
  look: () => Promise<void>;
  sign?: ComponentChildren;
}) {
  const { id, what, ready, files, uses, pull } = model;
  const lacking = files.filter(
    ({ state, optional }) => !optional && state !== 'present' && state !== 'other',
  );
  const open = lacking.reduce((sum, file) => sum + file.size - file.bytes, 0);
  const [error, setError] = useState<unknown>();
  const act = (run: () => Promise<unknown>) => {
    setError(undefined);
    run().then(look, setError);
  };
  return (
    <li class="model" data-ready={ready}>
      {sign}
      <div class="what">
        <h3>{textFor(`model.${id}`) ?? id}</h3>
        <p>{textFor(`model.${id}.what`) ?? what}</p>
      </div>
      <p class="state">
        {ready && <Icon name="check" />}
        {ready
          ? t('models.ready')
          : files.length === 0
            ? t('models.absent')
            : t('models.lacks', { count: lacking.length, size: size(open) })}
      </p>
      {!ready && files.length > 0 && (
        <div class="do">
          {pull?.state === 'running' ? (
            <button type="button" class="plain" onClick={() => act(() => api.stopPull(id))}>
              <Icon name="pause" />
              {t('models.stop')}
            </button>
          ) : (
            <button type="button" class="plain" onClick={() => act(() => api.pull(id))}>
              <Icon name="download" />
              {t('models.pull', { size: size(open) })}
            </button>
          )}
        </div>
      )}
      {ready && files.length === 0 && <p class="aside">{t('models.comes')}</p>}
      {pull?.state === 'running' && <PullLine pull={pull} />}
      {(error !== undefined || pull?.state === 'failed') && (
        <Notice error={error ?? new Error(pull?.error ?? '')} />
      )}
      {files.length > 0 && <Files files={files} uses={uses} />}
    </li>
  );
}

function Files({ files, uses }: Pick<ModelView, 'files' | 'uses'>) {
  return (
    <details>
      <summary>{t('models.files')}</summary>
      <table>
        <tbody>
          {files.map((file) => (
            <tr key={file.path} data-state={file.state}>
              <th scope="row">{file.path}</th>
              <td>{size(file.size)}</td>
              <td>{t(`models.${file.state}`)}</td>
              <td>{file.licence}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {uses.length > 0 && <p>{t('models.uses', { names: uses.join(', ') })}</p>}
    </details>
  );
}

function PullLine({
  pull: { stage, path, file, files, done, total },
}: {
  pull: NonNullable<ModelView['pull']>;
}) {
  const share = total ? done / total : 0;
  const words =
    path === null
      ? t('models.starting')
      : stage === 'check'
        ? t('models.checking', { path })
        : t('models.fetching', { path, file, files });
  return (
    <div class="pulling" role="status">
      <p>
        {words}
        <b>{total ? `${size(done)} · ${percent(share)}` : ''}</b>
      </p>
      <div class="bar">
        <i style={{ width: `${share * 100}%` }} />
      </div>
    </div>
  );
}
