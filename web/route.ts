/** Which page is shown, kept behind the # of the address so that links, reloads and the back button work. */
import { useEffect, useState } from 'preact/hooks';

/** A page, and of which dub where it is about one. */
export interface Route {
  readonly page: 'studio' | 'dubs' | 'dub' | 'models';
  readonly id?: string;
}

/** The page that an address names; the studio for all that is unknown. */
export function routeOf(hash: string): Route {
  const [page, id] = hash.replace(/^#\/?/, '').split('/');
  if (page === 'dubs') return id ? { page: 'dub', id } : { page: 'dubs' };
  return { page: page === 'models' ? 'models' : 'studio' };
}

/** The page now; changes with the address. */
export function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const onChange = () => {
      setRoute(routeOf(location.hash));
      scrollTo(0, 0);
    };
    addEventListener('hashchange', onChange);
    return () => removeEventListener('hashchange', onChange);
  }, []);
  return route;
}

/** Goes to a page. */
export function goTo(hash: string): void {
  location.hash = hash;
}
