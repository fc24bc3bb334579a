import type { SessionEvent } from '../../packages/sessions/src/index.js';
import type { PlantedFault } from './course.js';

type Fetch = typeof globalThis.fetch;

/** Changes the responses that the server receives. */
function received(change: (text: string, response: Response) => Response | undefined): PlantedFault {
  return {
    fetch: (fetch) => async (input, init) => {
      const response = await fetch(input, init);
      const text = await response.clone().text();
      return change(text, response) ?? response;
    },
  };
}

/** Changes the requests that the server sends, or their responses. */
function sent(respond: (fetch: Fetch, ...request: Parameters<Fetch>) => Promise<Response>): PlantedFault {
  return { fetch: (fetch) => (input, init) => respond(fetch, input, init) };
}

/** Changes the texts that the server sends. */
function served(change: (text: string) => string): PlantedFault {
  return {
    serve: (handle) => async (request, context) => {
      const { status, headers, body } = await handle(request, context);
      if (!body) return new Response(null, { status, headers });
      return new Response(change(await new Response(body).text()), { status, headers });
    },
  };
}

/** Answers requests that the server then does not get. */
function intercepted(answer: (request: Request) => Response | undefined): PlantedFault {
  return { serve: (handle) => async (request, context) => answer(request) ?? handle(request, context) };
}

/** Drops events. */
function unheard(isUnheard: (event: SessionEvent) => boolean): PlantedFault {
  return { isHeard: (event) => !isUnheard(event) };
}

const urlOf = (input: Parameters<Fetch>[0]) => new URL(input instanceof Request ? input.url : input);
const isRefresh = (init: Parameters<Fetch>[1]) => `${init?.body}`.includes('grant_type=refresh_token');
const REFRESH_TOKEN = /"(refresh\.[^"]+)"/;

/** A fault, and what the rule says that notices it. */
interface NoticedFault extends PlantedFault {
  readonly noticedAs: RegExp;
}

/** Faults that the code of the server could have. */
export const plantedFaults: Readonly<Record<string, NoticedFault>> = {
  'an outage that counts as a revoked grant': {
    noticedAs: /A login was lost that could have been kept/,
    ...received((_text, { status }) =>
      status === 503 ? Response.json({ error: 'invalid_grant' }, { status: 400 }) : undefined,
    ),
  },

  'an access token that counts for longer than it lives': {
    noticedAs: /A login was kept that is dead/,
    ...received((text, { status, headers }) =>
      text.includes('"expires_in":600')
        ? new Response(text.replace('"expires_in":600', '"expires_in":6000'), { status, headers })
        : undefined,
    ),
  },

  'a refresh that is repeated although the token is consumed': {
    noticedAs: /A consumed refresh token was sent again, twice/,
    ...sent(async (fetch, input, init) => {
      const response = await fetch(input, init);
      for (let times = 0; isRefresh(init) && response.ok && times < 2; times++) await fetch(input, init);
      return response;
    }),
  },

  'a refresh whose new tokens are not kept': {
    noticedAs: /A login was lost that could have been kept/,
    ...received((text, { status }) =>
      status === 200 && text.includes('"refresh_token"')
        ? Response.json({ ...JSON.parse(text), refresh_token: undefined })
        : undefined,
    ),
  },

  'an access token that counts as the name of its user': {
    noticedAs: /A secret is in a text/,
    ...sent(async (fetch, input, init) => {
      const response = await fetch(input, init);
      const { url, headers } = new Request(input, init);
      return url.endsWith('/userinfo') && response.ok
        ? Response.json({ ...(await response.json()), name: headers.get('authorization') })
        : response;
    }),
  },

  'a login that is refused after an earlier one was granted': {
    noticedAs: /A login failed that had to succeed/,
    fetch: (fetch) => {
      let logins = 0;
      return async (input, init) => {
        const isLogin = `${init?.body}`.includes('grant_type=authorization_code');
        if (isLogin && ++logins > 3) return Response.json({ error: 'invalid_client' }, { status: 401 });
        return fetch(input, init);
      };
    },
  },

  'a login by a code that is refused after an earlier one was granted': {
    noticedAs: /A login by a code failed that had to succeed/,
    fetch: (fetch) => {
      let isGranted = false;
      return async (input, init) => {
        const isPoll = `${init?.body}`.includes('device_code=');
        if (isPoll && isGranted) return Response.json({ error: 'access_denied' }, { status: 400 });
        const response = await fetch(input, init);
        if (isPoll && response.ok) isGranted = true;
        return response;
      };
    },
  },

  'a device code that is sent again although it is used up': {
    noticedAs: /A device code was sent again after its tokens had come/,
    ...sent(async (fetch, input, init) => {
      const response = await fetch(input, init);
      if (response.ok && `${init?.body}`.includes('device_code=')) await fetch(input, init);
      return response;
    }),
  },

  'a request to an API that never ends': {
    noticedAs: /^seed \d+, .*\(call\): call does not end\. It waits for/,
    ...sent((fetch, input, init) =>
      urlOf(input).origin === 'https://api.test' ? new Promise(() => undefined) : fetch(input, init),
    ),
  },

  'a revocation that counts as confirmed although it was not sent': {
    noticedAs: /A revocation is said to be confirmed, and the grant is alive/,
    ...sent((fetch, input, init) =>
      urlOf(input).pathname === '/revocation' ? Promise.resolve(new Response()) : fetch(input, init),
    ),
  },

  'a logout that revokes the tokens of another session': {
    noticedAs: /An action of one session has ended the grant of another/,
    fetch: (fetch) => {
      let latest: string | undefined;
      return async (input, init) => {
        if (urlOf(input).pathname === '/revocation' && latest !== undefined) {
          const form = new URLSearchParams(`${init?.body}`);
          form.set('token', latest);
          await fetch(input, { ...init, body: form });
        }
        const response = await fetch(input, init);
        latest = REFRESH_TOKEN.exec(await response.clone().text())?.[1] ?? latest;
        return response;
      };
    },
  },

  'a session that its client has ended and that goes on': {
    noticedAs: /A login was refreshed after its end/,
    ...intercepted(({ method }) => (method === 'DELETE' ? new Response() : undefined)),
  },

  'a logout at the provider that is confirmed and not carried out': {
    noticedAs: /A login is kept whose user has logged out at the provider/,
    ...intercepted(({ url }) => (url.includes('/login/logout/') ? new Response() : undefined)),
  },

  'an error that does not say what to do': {
    noticedAs: /A text has no next step/,
    ...served((text) =>
      text.replaceAll(/`(login|logout)`|operator|minute|close this window|again in \d+|\bask\b/gi, 'that'),
    ),
  },

  'a failed login that is not an error': {
    noticedAs: /A failed login was not reported/,
    ...served((text) =>
      /The identity provider|The user declined/.test(text)
        ? text.replaceAll('"isError":true', '"isError":false')
        : text,
    ),
  },

  'a failed login that stays pending': {
    noticedAs: /A failed login is still pending/,
    ...served((text) =>
      text
        .replaceAll('\\"state\\":\\"anonymous', '\\"state\\":\\"pending')
        .replaceAll('"state":"anonymous', '"state":"pending'),
    ),
  },

  'a scope that was never granted': {
    noticedAs: /Scopes count as granted that the login does not have: root/,
    ...served((text) => text.replaceAll('\\"scopes\\":[', '\\"scopes\\":[\\"root\\",')),
  },

  'a failure of a login that is not reported': {
    noticedAs: /A login failed \(\w+\), which is reported 0 times/,
    ...unheard((event) => event.type === 'provider.failed' && event.step !== 'refresh'),
  },

  'a failure of a refresh that is not reported': {
    noticedAs: /the provider's failure is not reported|refreshes have failed\. Those reported: none/,
    ...unheard((event) => event.type === 'provider.failed' && event.step === 'refresh'),
  },

  'an ended grant that is not reported': {
    noticedAs: /refreshes have failed\..* Ended grants: 0/,
    ...unheard(({ type }) => type === 'account.reauthentication_required'),
  },

  'a failed login without an event': {
    noticedAs: /A failed login has 0 events login\.failed/,
    ...unheard(({ type }) => type === 'login.failed'),
  },
};
