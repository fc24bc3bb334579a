// Tools whose duration and output a test controls. They need no login.
import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';

/** Waiting calls, by name. */
const held = new Map();
const aborted = [];
/** The number of bytes that each flood has written, by name. */
const floods = new Map();
const DROP = 'x'.repeat(64 * 1024);

const done = (text) => ({ content: [{ type: 'text', text }] });
const inputSchema = z.object({ name: z.string() });

// biome-ignore lint/style/noDefaultExport: this is what `--tools` asks for.
export default function registerBlockingTools(server, context) {
  server.server.registerCapabilities({ logging: {} });

  server.registerTool('whoami', { description: 'Returns the user who is logged in.' }, async () => {
    const response = await context.session().fetch(new URL('/me', process.env.NOTES_API));
    const structuredContent = await response.json();
    return { ...done(JSON.stringify(structuredContent)), structuredContent };
  });

  const holdSchema = inputSchema.extend({ isQuiet: z.boolean().default(false) });
  const holdConfig = { description: 'Waits for release.', inputSchema: holdSchema };
  server.registerTool('hold', holdConfig, async ({ name, isQuiet }, { mcpReq }) => {
    const wait = new Promise((resolve) => held.set(name, resolve));
    mcpReq.signal.addEventListener('abort', () => {
      if (held.delete(name)) aborted.push(name);
    });
    if (!isQuiet) await report(mcpReq, `holding ${name}`);
    await wait;
    return done(`released ${name}`);
  });

  server.registerTool('release', { description: 'Releases a waiting call.', inputSchema }, ({ name }) => {
    const resolve = held.get(name);
    held.delete(name);
    resolve?.();
    return done(resolve ? 'released' : 'nothing is waiting');
  });

  server.registerTool(
    'say',
    { description: 'Sends a message on the standalone stream.', inputSchema },
    async ({ name }) => {
      await server.server.sendLoggingMessage({ level: 'info', data: `said ${name}` });
      return done('said');
    },
  );

  server.registerTool(
    'flood',
    {
      description: 'Sends until it is released.',
      inputSchema: inputSchema.extend({ stream: z.enum(['own', 'standalone']) }),
    },
    async ({ name, stream }, { mcpReq }) => {
      const flood = { bytes: 0, isOver: false };
      floods.set(name, flood);
      let isReleased = false;
      held.set(name, () => {
        isReleased = true;
      });
      while (!isReleased && !mcpReq.signal.aborted) {
        if (stream === 'own') await report(mcpReq, DROP);
        else await server.server.sendLoggingMessage({ level: 'info', data: DROP });
        flood.bytes += DROP.length;
        await setImmediate();
      }
      held.delete(name);
      flood.isOver = true;
      return done(`flooded ${name}`);
    },
  );

  server.registerTool(
    'large',
    {
      description: 'Sends many notifications and a large result.',
      inputSchema: z.object({ notifications: z.number(), resultBytes: z.number() }),
    },
    async ({ notifications, resultBytes }, { mcpReq }) => {
      for (let count = 0; count < notifications; count++) await report(mcpReq, DROP);
      return done(`${'x'.repeat(resultBytes)} that is all`);
    },
  );

  server.registerTool('look', { description: 'Reports the state of this process.' }, () => {
    const structuredContent = {
      pid: process.pid,
      held: [...held.keys()],
      aborted,
      floods: Object.fromEntries(floods),
    };
    return { ...done(''), structuredContent };
  });
}

function report(mcpReq, message) {
  const params = { progressToken: mcpReq._meta?.progressToken ?? 'none', progress: 1, message };
  return mcpReq.notify({ method: 'notifications/progress', params });
}
