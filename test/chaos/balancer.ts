import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The response header with the name of the node that answered, or should have. */
export const NODE_HEADER = 'x-node';

/** A load balancer whose nodes come and go. */
export interface ChaosBalancer {
  readonly url: string;
  /** The number of requests that were answered with 200: of all nodes, or of one. */
  answered(node?: string): number;
  /** The number of requests that a node has not begun to answer. */
  waiting(node: string): number;
  add(node: string, port: number): void;
  /** Sends a node no requests, and ends those that it has not answered. */
  takeOut(node: string): void;
  putBack(node: string): void;
  close(): Promise<void>;
}

interface Backend {
  readonly name: string;
  readonly port: number;
  isOut: boolean;
  answered: number;
  waiting: number;
  /** Ends each request in flight. */
  readonly inFlight: Set<() => void>;
}

const SESSION_HEADER = 'mcp-session-id';

/**
 * Hands each request to the next node, except those of a 2025 connection: they go to the node that opened it, or are
 * answered with 503 while it is out. A node that refuses connections is left out for that request. A request whose
 * connection breaks is answered with 502. Adds no headers to requests, so that clients stay clients on this machine.
 */
export async function startChaosBalancer(): Promise<ChaosBalancer> {
  const backends: Backend[] = [];
  const openedBy = new Map<string, Backend>();
  let next = 0;

  const choices = (id: string | undefined): readonly Backend[] => {
    const own = id === undefined ? undefined : openedBy.get(id);
    if (own) return [own];
    next++;
    return backends.map((_, at) => backends[(next + at) % backends.length] as Backend);
  };

  const forward = async (incoming: IncomingMessage, outgoing: ServerResponse, body: Buffer) => {
    const id = incoming.headers[SESSION_HEADER]?.toString();
    const tried = choices(id);
    for (const backend of tried) {
      if (!backend.isOut && (await send({ incoming, outgoing, body, backend, id })) === 'sent') return;
    }
    const [only] = tried.length === 1 ? tried : [];
    outgoing.writeHead(503, { 'retry-after': '1', ...(only && { [NODE_HEADER]: only.name }) }).end();
  };

  const send = ({ incoming, outgoing, body, backend, id }: Forwarded) =>
    new Promise<'sent' | 'refused'>((resolve) => {
      backend.waiting++;
      const settle = (how: 'sent' | 'refused') => {
        if (isWaiting) backend.waiting--;
        isWaiting = false;
        resolve(how);
      };
      let isWaiting = true;
      const { method, url: path, headers } = incoming;
      const { name, port, inFlight } = backend;
      const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false });
      const fail = () => {
        if (outgoing.headersSent) outgoing.destroy();
        else outgoing.writeHead(502, { [NODE_HEADER]: name }).end();
        settle('sent');
      };
      const drop = () => {
        fail();
        request.destroy();
      };
      const isDone = () => inFlight.delete(drop);
      inFlight.add(drop);
      outgoing.once('close', () => {
        isDone();
        request.destroy();
      });
      request.once('response', (response) => {
        const { statusCode = 502 } = response;
        const started = response.headers[SESSION_HEADER];
        if (id === undefined && typeof started === 'string') openedBy.set(started, backend);
        if (statusCode === 200) backend.answered++;
        outgoing.writeHead(statusCode, { ...response.headers, [NODE_HEADER]: name });
        outgoing.flushHeaders();
        response.pipe(outgoing);
        response.once('error', () => outgoing.destroy());
        settle('sent');
      });
      request.once('error', (error: NodeJS.ErrnoException) => {
        isDone();
        if (error.code === 'ECONNREFUSED') return settle('refused');
        if (!outgoing.writableEnded) fail();
        else settle('sent');
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
  const backendOf = (node: string) => {
    const backend = backends.find(({ name }) => name === node);
    if (!backend) throw new Error(`There is no node ${node}.`);
    return backend;
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answered(node) {
      if (node !== undefined) return backendOf(node).answered;
      return backends.reduce((sum, { answered }) => sum + answered, 0);
    },
    waiting: (node) => backendOf(node).waiting,
    add: (name, port) =>
      void backends.push({ name, port, isOut: false, answered: 0, waiting: 0, inFlight: new Set() }),
    takeOut(node) {
      const backend = backendOf(node);
      backend.isOut = true;
      for (const drop of [...backend.inFlight]) drop();
    },
    putBack(node) {
      backendOf(node).isOut = false;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

interface Forwarded {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly body: Buffer;
  readonly backend: Backend;
  readonly id: string | undefined;
}
