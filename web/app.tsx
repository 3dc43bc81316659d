import { useEffect, useState } from 'preact/hooks';
import { api, gate } from './api.ts';
import { Dub } from './dubs/dub.tsx';
import { Dubs, isOpen, useDubs } from './dubs/list.tsx';
import { Models } from './models/models.tsx';
import { Dialog } from './parts/dialog.tsx';
import { Icon } from './parts/icons.tsx';
import { Mouth } from './parts/mouth.tsx';
import { Notice } from './parts/notice.tsx';
import { type Route, useRoute } from './route.ts';
import { Studio } from './studio/studio.tsx';
import { languageTag, t, useLanguage } from './texts/texts.ts';
import { useTheme } from './theme.ts';

/** The whole page: what stands on top of all pages, and the page that the address names. */
export function App() {
  const route = useRoute();
  const [language] = useLanguage();
  const [locked, setLocked] = useState(false);
  // Signing in draws everything anew.
  const [entered, setEntered] = useState(0);
  gate.onLocked = () => setLocked(true);
  useEffect(() => {
    document.documentElement.lang = languageTag();
  }, [language]);
  return (
    <div class="shell" key={entered}>
      <Top route={route} />
      <Page route={route} />
      {locked && (
        <SignIn
          onEntered={() => {
            setLocked(false);
            setEntered(entered + 1);
          }}
          onClose={() => setLocked(false)}
        />
      )}
    </div>
  );
}

function Page({ route }: { route: Route }) {
  if (route.page === 'dub') return <Dub key={route.id} id={route.id!} />;
  if (route.page === 'dubs') return <Dubs />;
  return route.page === 'models' ? <Models /> : <Studio />;
}

const PAGES = [
  { page: 'studio', hash: '#/' },
  { page: 'dubs', hash: '#/dubs' },
  { page: 'models', hash: '#/models' },
] as const;

function Top({ route }: { route: Route }) {
  const [language, setLanguage] = useLanguage();
  const [theme, nextTheme] = useTheme();
  const [keys, setKeys] = useState(false);
  const { dubs } = useDubs();
  const open = dubs?.filter(isOpen).length ?? 0;
  const here = route.page === 'dub' ? 'dubs' : route.page;
  return (
    <header class="top">
      <a class="brand" href="#/">
        <Mouth open={0.22} wide={0.9} />
        MuseTalk
      </a>
      <nav aria-label={t('nav.main')}>
        {PAGES.map(({ page, hash }) => (
          <a key={page} href={hash} aria-current={page === here ? 'page' : undefined}>
            {t(`nav.${page}`)}
            {page === 'dubs' && open > 0 && <span class="count">{open}</span>}
          </a>
        ))}
      </nav>
      <div class="ways">
        {route.page === 'dub' && (
          <button
            type="button"
            class="icon wide-only"
            aria-label={t('nav.keys')}
            title={t('nav.keys')}
            onClick={() => setKeys(true)}
          >
            <Icon name="keys" />
          </button>
        )}
        <button
          type="button"
          class="icon words"
          lang={language === 'en' ? 'zh' : 'en'}
          title={t('nav.languageHint')}
          onClick={() => setLanguage(language === 'en' ? 'zh' : 'en')}
        >
          {t('nav.language')}
        </button>
        <button
          type="button"
          class="icon"
          aria-label={t(`nav.theme.${theme}`)}
          title={t(`nav.theme.${theme}`)}
          onClick={nextTheme}
        >
          <Icon name={theme} />
        </button>
      </div>
      {keys && <Keys onClose={() => setKeys(false)} />}
    </header>
  );
}

const KEYS = [
  [[], 'keys.play'],
  [['←', '→'], 'keys.step'],
  [['S'], 'keys.side'],
  [['W'], 'keys.wipe'],
  [['R'], 'keys.result'],
  [['Z'], 'keys.zoom'],
  [['M'], 'keys.mute'],
] as const;

function Keys({ onClose }: { onClose: () => void }) {
  return (
    <Dialog label={t('keys.title')} onClose={onClose}>
      <div class="stack">
        <h2>{t('keys.title')}</h2>
        <dl class="keys">
          {KEYS.map(([caps, name]) => (
            <>
              <dt key={name}>
                {(caps.length > 0 ? caps : [t('keys.space')]).map((cap) => (
                  <kbd key={cap}>{cap}</kbd>
                ))}
              </dt>
              <dd>{t(name)}</dd>
            </>
          ))}
        </dl>
        <div class="row">
          <button type="button" class="plain" onClick={onClose}>
            {t('action.close')}
          </button>
        </div>
      </div>
    </Dialog>
  );
}

function SignIn({ onEntered, onClose }: { onEntered: () => void; onClose: () => void }) {
  const [error, setError] = useState<unknown>();
  return (
    <Dialog label={t('sign.title')} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const token = String(new FormData(event.currentTarget).get('token') ?? '');
          api.signIn(token.trim()).then(onEntered, setError);
        }}
      >
        <Mouth open={0.03} wide={0.8} />
        <h2>{t('sign.title')}</h2>
        <p>{t('sign.hint')}</p>
        <label class="field">
          <span>{t('sign.token')}</span>
          <input type="password" name="token" autocomplete="current-password" required />
        </label>
        {error !== undefined && <Notice error={error} />}
        <div class="row">
          <button type="submit" class="button">
            {t('sign.enter')}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
