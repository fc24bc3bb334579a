/** A complete answer: status 200, JSON. */
export interface PlainAnswer {
  readonly json: string;
}

export function isPlainAnswer(answer: PlainAnswer | Response): answer is PlainAnswer {
  return !(answer instanceof Response);
}

/** The answer as a response. */
export function responseOf(answer: PlainAnswer | Response): Response {
  return isPlainAnswer(answer)
    ? new Response(answer.json, { headers: { 'content-type': 'application/json' } })
    : answer;
}
