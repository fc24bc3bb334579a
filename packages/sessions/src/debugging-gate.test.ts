import { describe, expect, it } from 'vitest';
import { createSessions } from './create-sessions.js';
import { assertNotDebugged } from './debugging-gate.js';

const plain = { options: ['--enable-source-maps'], nodeDebug: '', isInspected: false };

describe('a process that is being debugged', () => {
  it.each([
    ['--inspect', { options: ['--inspect'] }],
    ['--inspect-brk=0', { options: ['--inspect-brk=0'] }],
    ['--heapsnapshot-signal=SIGUSR2', { options: ['--heapsnapshot-signal=SIGUSR2'] }],
    ['NODE_DEBUG=http', { nodeDebug: 'timers,HTTP' }],
    ['an attached inspector', { isInspected: true }],
  ])('is refused, and told why: %s [security 33]', (reason, settings) => {
    expect(() => assertNotDebugged({ ...plain, ...settings })).toThrow(reason);
  });

  it('is not one that merely has other options', () => {
    expect(() => assertNotDebugged({ ...plain, nodeDebug: 'timers' })).not.toThrow();
  });

  it('may keep tokens if that is asked for by name [security 33]', async () => {
    const options = {
      server: { name: 'test', version: '1.0.0' },
      tools: () => undefined,
      provider: { issuer: 'https://id.example.com', clientId: 'test' },
      apiOrigins: [],
    };
    process.env.NODE_DEBUG = 'http';
    try {
      expect(() => createSessions(options)).toThrow('NODE_DEBUG=http');
      await createSessions({ ...options, allowDebugging: true }).close();
    } finally {
      delete process.env.NODE_DEBUG;
    }
  });
});
