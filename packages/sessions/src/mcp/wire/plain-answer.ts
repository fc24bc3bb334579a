/** A complete answer: status 200, JSON. */
export interface PlainAnswer {
  readonly json: string;
}

export function isPlainAnswer(answer: PlainAnswer | Response): answer is PlainAnswer {
  return !(answer instanceof Response);
}
