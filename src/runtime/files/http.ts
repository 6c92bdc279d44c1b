/** What all requests over HTTP need to tell of their failures. */
import { cut } from "../../domain/brief.ts"

/** The deepest cause of a failed request, which tells more than "fetch failed". */
export const causeOf = (error: unknown): string => {
  let found = error as { readonly cause?: unknown; readonly code?: unknown; readonly message?: unknown }
  while (typeof found.cause === "object" && found.cause !== null) found = found.cause
  return cut(String(found.code ?? (found.message || found)), 200)
}

/** Seconds to wait by the header `Retry-After`, which gives seconds or a date; `undefined` if it is neither. */
export const retryAfter = (header: string): number | undefined => {
  const told = /^\s*\d+(?:\.\d+)?\s*$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000
  return Number.isNaN(told) ? undefined : Math.max(0, told)
}
