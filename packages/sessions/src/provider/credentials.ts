import { secretBytes } from '../vault/memory.js';
import type { ProviderSettings } from './provider-settings.js';

/** The texts of the client's own secret that a request may contain. */
export function credentialsIn({
  clientId,
  clientSecret,
}: Pick<ProviderSettings, 'clientId' | 'clientSecret'>): string[] {
  if (clientSecret === undefined) return [];
  return [clientSecret, secretBytes(`${clientId}:${clientSecret}`).toString('base64')];
}
