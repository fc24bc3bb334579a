// Imported into the server before anything else: writes a line of JSON for every request that any of its HTTP
// servers answers. The host talks to the server directly, without a proxy.
import { openSync, writeSync } from 'node:fs';
import { Server } from 'node:http';

const file = openSync(process.env.HOSTS_RECORD, 'a');
const MAX_CHARACTERS = 20_000;

const emit = Server.prototype.emit;
Server.prototype.emit = function emitRecorded(event, ...args) {
  if (event === 'request') record(this.address()?.port, ...args);
  return emit.call(this, event, ...args);
};

function record(port, request, response) {
  const entry = { port, at: Date.now(), method: request.method, path: request.url, headers: request.headers };
  const body = tap(request, 'push');
  const written = tap(response, 'write');
  const ended = tap(response, 'end');
  response.on('close', () => {
    const answer = written() + ended();
    const status = response.headersSent ? response.statusCode : null;
    const line = { ...entry, body: body(), status, wasCut: !response.writableFinished, answer };
    writeSync(file, `${JSON.stringify(line)}\n`);
  });
}

/** Calls a function with the arguments of each call of a method. */
function tap(target, name) {
  const original = target[name];
  let text = '';
  target[name] = function tapped(chunk, ...rest) {
    const isText = typeof chunk === 'string' || chunk instanceof Uint8Array;
    if (isText && text.length < MAX_CHARACTERS) text += Buffer.from(chunk).toString();
    return original.call(this, chunk, ...rest);
  };
  return () => text;
}
