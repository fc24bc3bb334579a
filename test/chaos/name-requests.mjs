// Imported into each server before anything else: its requests to the provider name the node, so that the provider
// knows which one sends a refresh token.
import { subscribe } from 'node:diagnostics_channel';

const { CHAOS_NODE: node } = process.env;
subscribe('undici:request:create', ({ request }) => request.addHeader('x-node', node));
