import { engineNodes } from '../support/engine-nodes.js';
import { answerOf } from '../support/port-answers.js';
import { describeAttemptStore } from './attempt-store-contract.js';
import { describeContents, describeMessages } from './messages-contract.js';
import { describeOneTimeStore } from './one-time-store-contract.js';
import { describeRates } from './rates-contract.js';
import { describeSessionStore } from './session-store-contract.js';

/** The contracts of all ports, on an engine that is late and reorders. Each test has a network of its own. */
export function describePortsOfEngine(seed: number): void {
  const name = `of an engine with seed ${seed}`;
  let engines = seed * 1000;
  const create = () => engineNodes(engines++);

  describeOneTimeStore(name, () => {
    const { clock, nodes } = create();
    return { clock, store: nodes[0].ports.oneTime };
  });

  describeRates(name, () => {
    const { clock, nodes } = create();
    return { clock, rates: nodes[0].ports.rates };
  });

  for (const describeThem of [describeMessages, describeContents]) {
    describeThem(name, () => {
      const { clock, nodes } = create();
      return { clock, nodes: [nodes[0].ports.messages, nodes[1].ports.messages] };
    });
  }

  describeAttemptStore(name, () => {
    const { clock, nodes } = create();
    return { clock, store: nodes[0].ports.attempts };
  });

  describeSessionStore(name, () => {
    const { clock, nodes } = create();
    const [{ ports, present }] = nodes;
    return {
      store: ports.sessions,
      now: () => clock.now(),
      advance: (ms) => clock.advance(ms),
      settle: (answer) => answerOf(clock, answer),
      present,
    };
  });
}
