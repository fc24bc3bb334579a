// A server whose tools contain many kinds of errors. None of them may end the process.
import { createSessions } from 'mcp-sessions';
import { z } from 'zod';

/** What calls do after their end, when another call triggers it. */
const later = [];
const text = (value) => ({ content: [{ type: 'text', text: value }] });
const cycle = {};
cycle.cycle = cycle;

const unsendable = {
  bigint: () => ({ content: [], structuredContent: { n: 10n } }),
  cycle: () => ({ content: [], structuredContent: { cycle } }),
  'text of a cycle': () => ({ content: [{ type: 'text', text: 'x', _meta: cycle }] }),
  'toJSON that throws': () => ({
    content: [],
    structuredContent: {
      toJSON() {
        throw new Error('no');
      },
    },
  }),
  'a getter that throws': () => ({
    content: [],
    structuredContent: {
      get value() {
        throw new Error('no');
      },
    },
  }),
  'no end of nesting': () => {
    let value = {};
    for (let level = 0; level < 100_000; level++) value = { value };
    return { content: [], structuredContent: value };
  },
  'promises without a handler': () => ({
    content: [],
    structuredContent: { first: Promise.reject(new Error('no')), others: [Promise.reject(new Error('no'))] },
  }),
  undefined: () => undefined,
  null: () => null,
  number: () => 42,
  'throws null': () => {
    // biome-ignore lint/style/useThrowOnlyError: it is a mistake.
    throw null;
  },
  'rejects with nothing': () => Promise.reject(),
  'throws a BigInt': () => {
    // biome-ignore lint/style/useThrowOnlyError: it is a mistake.
    throw 10n;
  },
  'throws what cannot be read': () => {
    throw Object.defineProperty(new Error('mistake'), 'code', {
      get() {
        throw new Error('no');
      },
    });
  },
  'throws what cannot be sent': () => {
    throw Object.assign(new Error('mistake'), { code: -32_000, data: { n: 10n } });
  },
};

/** Values that the SDK accepts as results, although they are not. */
const noResults = {
  'an array': () => [1, 2],
  'a text for _meta': () => ({ contents: [], messages: [], _meta: 'text' }),
};

function registerMistakes(server, context) {
  server.server.registerCapabilities({ logging: {} });
  server.server.onclose = () => {
    throw new Error('onclose');
  };
  server.server.onerror = () => {
    throw new Error('onerror');
  };

  server.registerTool('alive', {}, () => text('alive'));

  const say = (mcpReq) => {
    const progress = { method: 'notifications/progress', params: { progressToken: 'p', progress: 1 } };
    const sampling = { messages: [], maxTokens: 1 };
    const question = { message: 'Well?', requestedSchema: { type: 'object', properties: {} } };
    const session = context.session();
    return [
      () => void mcpReq.notify(progress),
      () => void mcpReq.notify({ method: 'notifications/message', params: { level: 'info', data: 10n } }),
      () => void mcpReq.log('error', 'late'),
      () => void mcpReq.elicitInput(question),
      () => void mcpReq.requestSampling(sampling),
      () => void mcpReq.send({ method: 'ping' }),
      () => void server.sendLoggingMessage({ level: 'error', data: 'late' }),
      () => void server.server.sendLoggingMessage({ level: 'error', data: 'late' }),
      () => void server.server.notification(progress),
      () => void server.server.notification({ method: 'notifications/message', params: { n: 10n } }),
      () => void server.server.sendResourceUpdated({ uri: 'late:' }),
      () => void server.server.request({ method: 'ping' }),
      () => void server.server.ping(),
      () => void server.server.elicitInput(question),
      () => void server.server.createMessage(sampling),
      () => void server.server.listRoots(),
      () => server.sendToolListChanged(),
      () => server.sendResourceListChanged(),
      () => server.sendPromptListChanged(),
      () => void session.fetch('http://127.0.0.1:9/'),
      () => void session.withAccessToken(() => Promise.reject(new Error('no'))),
    ];
  };
  const sayerOf = (mcpReq) => {
    const sayings = say(mcpReq);
    return () => {
      for (const each of sayings) {
        try {
          each();
        } catch {
          // What throws at once, its author sees.
        }
      }
    };
  };

  server.registerTool('says_too_much', {}, async ({ mcpReq }) => {
    const sayAll = sayerOf(mcpReq);
    sayAll();
    later.push(sayAll);
    return text('said');
  });

  server.registerTool('holds', {}, async ({ mcpReq }) => {
    const { signal } = mcpReq;
    signal.addEventListener('abort', () => {
      throw new Error('abort listener');
    });
    signal.addEventListener('abort', async () => {
      throw new Error('asynchronous abort listener');
    });
    signal.addEventListener('abort', {
      handleEvent() {
        throw new Error('abort listener object');
      },
    });
    signal.onabort = () => {
      throw new Error('onabort');
    };
    const sayAll = sayerOf(mcpReq);
    later.push(sayAll);
    try {
      await new Promise((resolve) => {
        later.push(resolve);
        console.error('holding');
      });
    } finally {
      sayAll();
      // biome-ignore lint/correctness/noUnsafeFinally: it is a mistake.
      throw new Error('finally');
    }
  });

  server.registerTool('later', {}, async () => {
    for (const act of later.splice(0)) act();
    await new Promise((resolve) => setImmediate(resolve));
    return text('done');
  });

  for (const [kind, make] of Object.entries(unsendable)) {
    server.registerTool(`returns ${kind}`.replaceAll(' ', '_'), {}, make);
    const uri = `bad:${encodeURIComponent(kind)}`;
    server.registerResource(kind, uri, {}, make);
    server.registerPrompt(kind, {}, make);
  }
  for (const [kind, make] of Object.entries(noResults)) {
    server.registerResource(kind, `bad:${encodeURIComponent(kind)}`, {}, make);
    server.registerPrompt(kind, {}, make);
  }
  const rejecting = z.string().refine(async () => {
    throw new Error('the database is down');
  });
  server.registerTool('checks', { inputSchema: z.object({ value: rejecting }) }, () => text('checked'));
  server.registerTool('checks_shape', { inputSchema: { value: rejecting } }, () => text('checked'));
  server.registerTool('checks_result', { outputSchema: z.object({ value: rejecting }) }, () => ({
    content: [],
    structuredContent: { value: 'x' },
  }));
  server.registerTool('strict', { outputSchema: z.object({ n: z.any() }) }, unsendable.bigint);
}

const logged = (level) => (entry) => {
  console.error(JSON.stringify({ level, ...entry }));
  throw new Error('logger');
};
const sessions = createSessions({
  server: { name: 'mistaken', version: '1.0.0' },
  providers: {
    issuer: 'http://127.0.0.1:9',
    clientId: 'mistaken',
    scopes: ['openid'],
    apiOrigins: ['http://127.0.0.1:9'],
  },
  lifetimes: { shutdownDrainMs: 0 },
  logger: { debug: logged('debug'), info: logged('info'), warn: logged('warn'), error: logged('error') },
  tools: registerMistakes,
});
sessions.onEvent(() => {
  throw new Error('listener');
});
sessions.onEvent(async () => {
  throw new Error('asynchronous listener');
});

const actTooLate = async () => {
  for (const act of later.splice(0)) act();
  await new Promise((resolve) => setImmediate(resolve));
  console.error('over');
};

if (process.argv[2] === 'stdio') {
  await sessions.serveStdio({ openBrowser: false });
  await actTooLate();
} else {
  process.once('SIGTERM', async () => {
    await sessions.close();
    await actTooLate();
    process.exit(0);
  });
  const { url } = await sessions.listen({ port: 0 });
  console.log(url);
}
