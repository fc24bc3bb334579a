import { type Runtime, Session } from 'node:inspector';

/** How many entries all maps and sets of this process hold together, the private ones of every object included. */
export function countEntries(): number {
  const session = new Session();
  session.connect();
  try {
    return entriesOf(session, 'Map') + entriesOf(session, 'Set');
  } finally {
    session.disconnect();
  }
}

function entriesOf(session: Session, type: 'Map' | 'Set'): number {
  const prototype = post<Runtime.EvaluateReturnType>(session, 'Runtime.evaluate', {
    expression: `${type}.prototype`,
  });
  const found = post<Runtime.QueryObjectsReturnType>(session, 'Runtime.queryObjects', {
    prototypeObjectId: prototype.result.objectId,
  });
  const counted = post<Runtime.CallFunctionOnReturnType>(session, 'Runtime.callFunctionOn', {
    objectId: found.objects.objectId,
    functionDeclaration: 'function () { return this.reduce((sum, { size }) => sum + size, 0); }',
    returnByValue: true,
  });
  return Number(counted.result.value);
}

/** Within one thread the inspector answers before it returns. */
function post<Answer>(session: Session, method: string, params: object): Answer {
  let answered: Answer | undefined;
  session.post(method, params, (error, answer) => {
    if (error) throw error;
    // What a method returns is settled by the protocol.
    answered = answer as Answer;
  });
  if (answered === undefined) throw new Error(`The inspector did not answer ${method}.`);
  return answered;
}
