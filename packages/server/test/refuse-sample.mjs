import { register } from 'node:module';

// Runs in the process under test: importing anything of the sample fails.
const hooks = `export function resolve(specifier, context, next) {
  if (/oidc-provider|\\/sample\\//.test(specifier)) throw new Error('The sample was imported: ' + specifier);
  return next(specifier, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
