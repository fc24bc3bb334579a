import type { PlantedFault } from './walk.js';

/** Changes the responses that the server receives. */
function changed(change: (text: string, response: Response) => Response | undefined): PlantedFault {
  return (fetch) => async (input, init) => {
    const response = await fetch(input, init);
    const text = await response.clone().text();
    return change(text, response) ?? response;
  };
}

/** Faults that the code of the server could have, as changes of what it receives. */
export const plantedFaults: Readonly<Record<string, PlantedFault>> = {
  'an outage that counts as a revoked grant': changed((_text, { status }) =>
    status === 503 ? Response.json({ error: 'invalid_grant' }, { status: 400 }) : undefined,
  ),

  'an access token that counts for longer than it lives': changed((text, { status, headers }) =>
    text.includes('"expires_in":600')
      ? new Response(text.replace('"expires_in":600', '"expires_in":6000'), { status, headers })
      : undefined,
  ),

  'a refresh that is repeated although the token is consumed': (fetch) => async (input, init) => {
    for (let times = 0; ; times++) {
      const response = await fetch(input, init);
      if (response.status !== 400 || times === 2) return response;
    }
  },

  'a refresh whose new tokens are not kept': changed((text, { status }) =>
    status === 200 && text.includes('"refresh_token"')
      ? Response.json({ ...JSON.parse(text), refresh_token: undefined })
      : undefined,
  ),

  'a request to an API that never ends': (fetch) => async (input, init) => {
    const { origin } = new URL(input instanceof Request ? input.url : input);
    return origin === 'https://api.test' ? new Promise(() => undefined) : fetch(input, init);
  },

  'an access token that counts as the name of its user': (fetch) => async (input, init) => {
    const response = await fetch(input, init);
    const { url, headers } = new Request(input, init);
    return url.endsWith('/userinfo') && response.ok
      ? Response.json({ ...(await response.json()), name: headers.get('authorization') })
      : response;
  },

  'a login that is refused after an earlier one was granted': (fetch) => {
    let logins = 0;
    return async (input, init) => {
      const isLogin = `${init?.body}`.includes('grant_type=authorization_code');
      if (isLogin && ++logins > 3) return Response.json({ error: 'invalid_client' }, { status: 401 });
      return fetch(input, init);
    };
  },
};
