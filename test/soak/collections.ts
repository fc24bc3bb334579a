import { type Runtime, Session } from 'node:inspector';

/** The number of entries in all maps and sets of this process, including private ones. */
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

/** In the same thread, the inspector answers synchronously. */
function post<Answer>(session: Session, method: string, params: object): Answer {
  let answered: Answer | undefined;
  session.post(method, params, (error, answer) => {
    if (error) throw error;
    // The protocol determines the result of a method.
    answered = answer as Answer;
  });
  if (answered === undefined) throw new Error(`The inspector did not answer ${method}.`);
  return answered;
}
