import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface ApiAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** An API server that records requests. A test defines its responses. */
export interface RecordingApi {
  readonly origin: string;
  readonly requests: RecordedRequest[];
  /** Defines the responses from now on. */
  answer: (request: RecordedRequest) => ApiAnswer;
  close(): Promise<void>;
}

export async function startRecordingApi(): Promise<RecordingApi> {
  const requests: RecordedRequest[] = [];
  const server = createServer(async (request, response) => {
    const { method = 'GET', url: path = '/', headers } = request;
    const recorded = { method, path, headers, body: await text(request) };
    requests.push(recorded);
    const answer = api.answer(recorded);
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body ?? '{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // The address of a listening TCP server is an AddressInfo.
  const { port } = server.address() as AddressInfo;
  const api: RecordingApi = {
    origin: `http://127.0.0.1:${port}`,
    requests,
    answer: () => ({ status: 200 }),
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
  return api;
}
