import { once } from 'node:events';
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** A load balancer in front of several servers on loopback. */
export interface Balancer {
  readonly url: string;
  /** The requests that were not answered because their server ended the connection. */
  readonly broken: number;
  /** The port of the server that gets all requests. Default: each server in turn. */
  only: number | undefined;
  /** Adds a server. One that does not accept a connection is left out for that request. */
  add(port: number): void;
  close(): Promise<void>;
}

const SESSION_HEADER = 'mcp-session-id';

/**
 * Hands each request to the next server, except those of a 2025 connection: they go to the server that opened it. Adds
 * no headers, so that clients on this machine stay clients on this machine.
 */
export async function startBalancer(): Promise<Balancer> {
  const ports: number[] = [];
  const serverOf = new Map<string, number>();
  const agent = new Agent({ keepAlive: true });
  let next = 0;
  let broken = 0;
  let only: number | undefined;

  const forward = async (incoming: IncomingMessage, outgoing: ServerResponse, body: Buffer) => {
    const id = incoming.headers[SESSION_HEADER];
    const own = typeof id === 'string' ? serverOf.get(id) : undefined;
    const inTurn =
      only === undefined ? ports.map((_, at) => ports[(next + at) % ports.length] as number) : [only];
    next++;
    for (const port of own === undefined ? inTurn : [own, ...inTurn.filter((each) => each !== own)]) {
      if ((await send({ incoming, outgoing, body, port, id })) === 'sent') return;
    }
    outgoing.writeHead(502).end();
  };

  interface Forwarded {
    readonly incoming: IncomingMessage;
    readonly outgoing: ServerResponse;
    readonly body: Buffer;
    readonly port: number;
    readonly id: string | string[] | undefined;
  }

  const send = ({ incoming, outgoing, body, port, id }: Forwarded) =>
    new Promise<'sent' | 'refused'>((resolve) => {
      const { method, url: path, headers } = incoming;
      const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent });
      const drop = () => request.destroy();
      outgoing.once('close', drop);
      request.once('response', (response) => {
        const started = response.headers[SESSION_HEADER];
        if (id === undefined && typeof started === 'string') serverOf.set(started, port);
        outgoing.writeHead(response.statusCode ?? 502, response.headers);
        outgoing.flushHeaders();
        response.pipe(outgoing);
        response.once('error', () => outgoing.destroy());
        resolve('sent');
      });
      request.once('error', (error: NodeJS.ErrnoException) => {
        outgoing.off('close', drop);
        const isIdle = request.reusedSocket && error.code === 'ECONNRESET';
        if (error.code === 'ECONNREFUSED' || isIdle) return resolve('refused');
        if (!outgoing.destroyed) broken++;
        outgoing.destroy();
        resolve('sent');
      });
      request.end(body);
    });

  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      await forward(incoming, outgoing, Buffer.concat(chunks));
    } catch {
      // The client has left.
      outgoing.destroy();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    get broken() {
      return broken;
    },
    get only() {
      return only;
    },
    set only(port) {
      only = port;
    },
    add: (each) => void ports.push(each),
    async close() {
      agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
