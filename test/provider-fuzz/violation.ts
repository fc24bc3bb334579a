/** An invariant of this library that was violated. */
export class Violation extends Error {
  override readonly name = 'Violation';
}
