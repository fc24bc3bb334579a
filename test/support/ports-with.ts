import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import type { SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import {
  type CreatePorts,
  createMapPorts,
  type Ports,
  type PortsOptions,
} from '../../packages/sessions/src/store/ports.js';
import { MapSessionStore } from './map-session-store/map-session-store.js';

/** The stores of this process, some of them replaced. */
export function portsWith(replaced: (made: Ports, options: PortsOptions) => Partial<Ports>): CreatePorts {
  return (options) => {
    const made = createMapPorts(options);
    return { ...made, ...replaced(made, options) };
  };
}

/** The stores of this process, with sessions in a map that a test can inspect. */
export function portsOver(records: Map<SessionRef, SessionRecord>): CreatePorts {
  return portsWith((_made, options) => ({ sessions: new MapSessionStore({ ...options, records }) }));
}
