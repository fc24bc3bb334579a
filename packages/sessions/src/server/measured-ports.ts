import { SessionError } from '../errors.js';
import type { CreatePorts, Ports } from '../store/ports.js';
import { ATTRIBUTE, OTHER } from '../telemetry/conventions.js';
import type { Telemetry } from '../telemetry/telemetry.js';

const MEASURED = ['sessions', 'attempts', 'oneTime', 'rates'] as const satisfies readonly (keyof Ports)[];

/**
 * The same stores, with a span and a duration for each call that an engine answers later. A store that answers at once
 * is not measured.
 */
export function measuredPorts(telemetry: Telemetry | undefined, createPorts: CreatePorts): CreatePorts {
  if (!telemetry) return createPorts;
  return (options) => {
    const ports = createPorts(options);
    if (!ports.outlivesProcess) return ports;
    const measure = measurer(telemetry);
    return { ...ports, ...Object.fromEntries(MEASURED.map((name) => [name, measure(name, ports[name])])) };
  };
}

function measurer(telemetry: Telemetry): <T extends object>(name: string, port: T) => T {
  const histogram = telemetry.histogram('mcp_sessions.engine.operation.duration');
  const measured = (operation: string, answer: Promise<unknown>) =>
    telemetry.span(
      {
        name: 'mcp_sessions.engine',
        attributes: { [ATTRIBUTE.engineOperation]: operation },
        histogram,
        outcomeOf: () => ({}),
        outcomeOfError: (error) => ({
          [ATTRIBUTE.errorType]: error instanceof SessionError ? error.code : OTHER,
        }),
      },
      () => answer,
    );
  return (name, port) =>
    new Proxy(port, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        // The methods of a class with private fields need the port itself.
        return (...given: unknown[]) => {
          const answer: unknown = Reflect.apply(value, target, given);
          return answer instanceof Promise ? measured(`${name}.${String(key)}`, answer) : answer;
        };
      },
    });
}
