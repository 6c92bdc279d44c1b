/** `true` where the types are the same, `any` being the same as itself only. */
export type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false

export const same: readonly [Equals<1 | 2, 2 | 1>, Equals<never, never>, Equals<any, any>] = [true, true, true]
export const other: readonly [Equals<1, 1 | 2>, Equals<any, 1>, Equals<unknown, any>, Equals<{}, { a?: 1 }>] = [
  false,
  false,
  false,
  false
]
