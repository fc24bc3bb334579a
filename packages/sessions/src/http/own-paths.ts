import type { IncomingMessage } from 'node:http';
import type { Hono } from 'hono';
import { type BasePath, HEALTH_PATH, pathOf, wholePathOf } from './base-path.js';
import type { HttpEnv } from './http-env.js';

/** Returns a predicate that tells whether an app has a route for a request, whatever the method. */
export function ownPathsOf(
  app: Pick<Hono<HttpEnv>, 'routes'>,
  base: BasePath,
): (request: IncomingMessage) => boolean {
  const paths = app.routes.map(({ path }) => path).filter((path) => !path.endsWith('*'));
  const patterns = [...new Set(paths)].filter((path) => path !== HEALTH_PATH).map(patternOf);
  const isRoute = (path: string | undefined) =>
    path !== undefined && patterns.some((pattern) => pattern.test(path));
  return (request) => {
    const whole = wholePathOf(request) ?? '';
    const path = pathOf(request.url ?? '');
    // A request through a wrong mount is served, too: its answer says what is wrong.
    return isRoute(base.within(whole)) || (path !== whole && isRoute(path));
  };
}

/** Routes are made of literal segments and of parameters, such as `/connect/:attempt`. */
function patternOf(route: string): RegExp {
  return new RegExp(`^${route.replaceAll('.', '\\.').replaceAll(/:[^/]+/g, '[^/]+')}$`);
}
