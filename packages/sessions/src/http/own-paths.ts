import type { createApp } from './app.js';

/** For whoever asks whether the process lives; beside an app of the author's, that is the app's to say. */
const HEALTH_PATH = '/healthz';

/** Tells which request targets an app has routes for, whatever the method. */
export function ownPathsOf(app: ReturnType<typeof createApp>): (target: string | undefined) => boolean {
  const paths = app.routes.map(({ path }) => path).filter((path) => !path.endsWith('*'));
  const patterns = [...new Set(paths)].filter((path) => path !== HEALTH_PATH).map(patternOf);
  return (target = '') => patterns.some((pattern) => pattern.test(pathOf(target)));
}

/** Routes are made of literal segments and of parameters, such as `/connect/:attempt`. */
function patternOf(route: string): RegExp {
  return new RegExp(`^${route.replaceAll('.', '\\.').replaceAll(/:[^/]+/g, '[^/]+')}$`);
}

/** The path in a request target of origin form or absolute form (RFC 9112 section 3.2). */
function pathOf(target: string): string {
  return target.replace(/^https?:\/\/[^/?]*/i, '').split('?', 1)[0] ?? '';
}
