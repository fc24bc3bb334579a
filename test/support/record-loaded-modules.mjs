// Preloaded into the process under test: writes down every module it imports, one URL a line, in the file
// that `LOADED_MODULES` names.
import { register } from 'node:module';

const hooks = `import { appendFileSync } from 'node:fs';
export function load(url, context, next) {
  appendFileSync(process.env.LOADED_MODULES, url + '\\n');
  return next(url, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
