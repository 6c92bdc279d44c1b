/** Expressions that cannot be translated to JavaScript. */

/** Why an expression is refused. */
export class Unsupported extends Error {}

/** @throws Unsupported always. */
export const unsupported = (what: string): never => {
  throw new Unsupported(`${what} is not supported`)
}
