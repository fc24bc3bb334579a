import { describe, expect, it } from 'vitest';
import { accessSettings, type BearerSettings } from './access-options.js';
import { bearerChallenge, protectedResourceMetadata } from './protected-resource.js';

const RESOURCE = new URL('https://mcp.test/mcp');
const METADATA = new URL('https://mcp.test/.well-known/oauth-protected-resource/mcp');

function settings(requiredScopes: string[]): BearerSettings {
  return accessSettings({ issuer: 'https://auth.test', requiredScopes }) as BearerSettings;
}

describe('the metadata of the protected resource', () => {
  it('names the resource, its authorization server, and how clients send tokens', () => {
    expect(protectedResourceMetadata(RESOURCE, 'Notes', settings([]))).toEqual({
      resource: 'https://mcp.test/mcp',
      resource_name: 'Notes',
      authorization_servers: ['https://auth.test'],
      bearer_methods_supported: ['header'],
    });
    expect(protectedResourceMetadata(RESOURCE, 'Notes', settings(['mcp', 'notes']))).toMatchObject({
      scopes_supported: ['mcp', 'notes'],
    });
  });
});

describe('a challenge', () => {
  it('has no error code for a request without a token (RFC 6750 section 3.1)', () => {
    expect(bearerChallenge({ status: 401, description: 'Send one.' }, METADATA, [])).toBe(
      `Bearer resource_metadata="${METADATA.href}"`,
    );
  });

  it('says what is wrong with a token, and which scopes are required', () => {
    const refusal = { status: 403, error: 'insufficient_scope', description: 'It lacks one.' } as const;
    expect(bearerChallenge(refusal, METADATA, ['mcp', 'notes'])).toBe(
      `Bearer error="insufficient_scope", error_description="It lacks one.", scope="mcp notes", resource_metadata="${METADATA.href}"`,
    );
  });

  it('replaces characters that would end a quoted value', () => {
    const description = 'a "quoted", \\ escaped\r\nX: y ünd';
    const challenge = bearerChallenge({ status: 401, error: 'invalid_token', description }, METADATA, []);
    expect(challenge).toContain(`error_description="a 'quoted', ' escaped''X: y 'nd"`);
  });
});
