/**
 * Presets: the settings of providers that differ from the standard.
 *
 * ```ts
 * import { createSessions } from 'mcp-sessions';
 * import { github } from 'mcp-sessions/providers';
 *
 * createSessions({ …, providers: [github({ clientId, clientSecret, scopes: ['repo'] })] });
 * ```
 *
 * None was tried at the real provider: each follows its documentation and public reports.
 *
 * @module mcp-sessions/providers
 */
import { type PresetFunction, preset } from './presets.js';

export type { Preset, PresetName } from './preset.js';
export { PRESETS, type PresetFunction, type PresetOptions } from './presets.js';

/** Jira, Confluence and other products of Atlassian. */
export const atlassian: PresetFunction<'atlassian'> = preset('atlassian');
/** A user pool of Amazon Cognito. Needs `issuer`. */
export const cognito: PresetFunction<'cognito'> = preset('cognito');
/** Microsoft Entra ID. Needs `issuer`, which names the tenant. */
export const entra: PresetFunction<'entra'> = preset('entra');
/** A GitHub OAuth app. Its tokens do not expire. */
export const github: PresetFunction<'github'> = preset('github');
/** A GitHub App that acts for a user. Its permissions are part of its registration. */
export const githubApp: PresetFunction<'githubApp'> = preset('githubApp');
/** Google accounts. Asks for the consent of the user at every login, because only that gives a refresh token. */
export const google: PresetFunction<'google'> = preset('google');
/** The user is the HubSpot account, which its users share: tools find it in `account.fields.hub_id`. */
export const hubspot: PresetFunction<'hubspot'> = preset('hubspot');
/** A realm of Keycloak. Needs `issuer`. For releases since December 2024, set `revocation: 'token'`. */
export const keycloak: PresetFunction<'keycloak'> = preset('keycloak');
/** Without PKCE and nonce, which LinkedIn does not support. */
export const linkedin: PresetFunction<'linkedin'> = preset('linkedin');
/** Without PKCE. */
export const notion: PresetFunction<'notion'> = preset('notion');
/** Without PKCE and nonce. Tools find the company in `account.fields.realmId`. */
export const quickbooks: PresetFunction<'quickbooks'> = preset('quickbooks');
/** `session.fetch` accepts the organization's own address, which tools find in `account.fields.instance_url`. */
export const salesforce: PresetFunction<'salesforce'> = preset('salesforce');
/** Slack, as the bot of an app. Without PKCE. */
export const slackBot: PresetFunction<'slackBot'> = preset('slackBot');
/** Slack, as the user. Without PKCE. */
export const slackUser: PresetFunction<'slackUser'> = preset('slackUser');
/** Without PKCE. */
export const strava: PresetFunction<'strava'> = preset('strava');
/** X, formerly Twitter. */
export const x: PresetFunction<'x'> = preset('x');
/** The data centre of the United States; set `issuer` and `endpoints` for another. Without PKCE. */
export const zoho: PresetFunction<'zoho'> = preset('zoho');
