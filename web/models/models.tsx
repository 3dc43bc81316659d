import { useEffect, useState } from 'preact/hooks';
import { api, type ModelView } from '../api.ts';
import { percent, size } from '../format.ts';
import { Icon } from '../parts/icons.tsx';
import { Notice } from '../parts/notice.tsx';
import { t, textFor } from '../texts/texts.ts';

/** Which models are there, and fetching of those that are not. */
export function Models() {
  const { models, error, look } = useModels();
  return (
    <main class="page models">
      <header>
        <div>
          <h1>{t('models.title')}</h1>
          <p>{t('models.hint')}</p>
        </div>
      </header>
      {error !== undefined && <Notice error={error} />}
      <ul>
        {models?.map((model) => (
          <Model key={model.id} {...{ model, look }} />
        ))}
      </ul>
    </main>
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

function Model({ model, look }: { model: ModelView; look: () => Promise<void> }) {
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
      <div class="what">
        <h2>{textFor(`model.${id}`) ?? id}</h2>
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
      {pull?.state === 'running' && <PullLine pull={pull} />}
      {(error !== undefined || pull?.state === 'failed') && (
        <Notice error={error ?? new Error(pull?.error ?? '')} />
      )}
      {files.length > 0 ? (
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
      ) : (
        ready && <p class="aside">{t('models.comes')}</p>
      )}
    </li>
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
