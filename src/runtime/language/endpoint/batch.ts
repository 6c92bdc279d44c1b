/** OpenAI's batch files: requests written in place of being made, and the answers that come back as another file. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { isObject } from "../../files/config/keys.ts"
import { FileError } from "../../files/disk.ts"
import * as LineFile from "../../files/lineFile.ts"
import { bytesOf, decoded } from "../../files/textFile.ts"
import {
  type Answer,
  AnswersUnkept,
  type BatchReport,
  NotAnswered,
  type WriteRequest,
  WriterError
} from "../../ports/Writer.ts"
import { parsed } from "../structured.ts"
import { answerOf, type Body, errorOf } from "./wire.ts"

/** Files of requests and of answers. */
export interface BatchSettings {
  /** Where requests without an answer are written to; they are made if `undefined`. */
  readonly requests: string | undefined
  /** Files of answers, and of failures, in any order. */
  readonly answers: ReadonlyArray<string>
}

/** What a file of requests may hold at most. */
export interface Limits {
  readonly lines: number
  readonly bytes: number
}

/** OpenAI's limits. */
const limits: Limits = { lines: 50_000, bytes: 200_000_000 }

/** The path of the n-th file of requests, from 1: `out.jsonl`, `out-2.jsonl`. */
const numbered = (path: string, n: number): string => n === 1 ? path : path.replace(/(\.[^./]*)?$/, `-${n}$1`)

/** A file's line: the body of a chat completion, or why there is none. */
type Outcome = { readonly body: string } | { readonly failure: string }

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> => isObject(value) ? value : {}

/** A line of answers: the request's key and what came of it; `undefined` if it is no such line. */
const lineOf = (text: string): readonly [id: string, outcome: Outcome] | undefined => {
  const line = fieldsOf(parsed(text))
  const { custom_id: id, error } = line
  const response = fieldsOf(line["response"])
  if (typeof id !== "string" || !("response" in line || "error" in line)) return undefined
  const { body, status_code: status } = response
  if (status === 200 && body !== undefined && body !== null) return [id, { body: JSON.stringify(body) }]
  const said = errorOf(JSON.stringify(body ?? { error: error ?? "no response" })).said
  return [id, { failure: status === undefined ? said : `status ${String(status)}: ${said}` }]
}

/** The lines of all files by the key of their request; an answer goes before a failure. */
const outcomesIn = Effect.fnUntraced(function*(paths: ReadonlyArray<string>) {
  const found = new Map<string, Outcome>()
  let lines = 0
  for (const path of paths) {
    let at = 0
    yield* bytesOf(path).pipe(
      decoded(path),
      Stream.splitLines,
      Stream.runForEach((text) => {
        at++
        if (text.trim() === "") return Effect.void
        const line = lineOf(text)
        if (line === undefined) {
          const reason = "is no line of a batch's answers: it has a custom_id, and a response or an error"
          return Effect.fail(new FileError({ path, place: `line ${at}`, reason }))
        }
        const [id, outcome] = line
        const before = found.get(id)
        if (before === undefined || "failure" in before) found.set(id, outcome)
        lines++
        return Effect.void
      })
    )
  }
  return { found, lines }
})

const unkept = Effect.mapError(({ message }: FileError) =>
  new WriterError({ reason: new AnswersUnkept({ reason: message }) })
)

/** Writes lines into numbered files of limited size. */
const filesAt = Effect.fnUntraced(function*(path: string, { bytes: mostBytes, lines: mostLines }: Limits) {
  const files: Array<{ readonly path: string; readonly file: LineFile.LineFile }> = []
  const alone = Semaphore.withPermit(yield* Semaphore.make(1))
  let [lines, bytes] = [0, 0]
  const open = Effect.fnUntraced(function*() {
    const own = numbered(path, files.length + 1)
    files.push({ path: own, file: yield* LineFile.make(own) })
    lines = 0
    bytes = 0
  })
  return {
    add: Effect.fnUntraced(function*(line: string) {
      const size = Buffer.byteLength(line) + 1
      if (files.length === 0 || lines === mostLines || bytes + size > mostBytes) yield* open()
      lines++
      bytes += size
      yield* files.at(-1)!.file.add([line])
    }, alone),
    finish: Effect.suspend(() =>
      Effect.as(Effect.forEach(files, ({ file }) => file.finish), files.map(({ path }) => path))
    )
  }
})

/** Requests and answers in files, until the scope ends; `model` is the endpoint's. */
export const make = Effect.fnUntraced(
  function*({ answers, requests }: BatchSettings, endpoint: string, model: string, most: Limits = limits) {
    const services = yield* Effect.context<FileSystem.FileSystem | Scope.Scope>()
    const on = Effect.provideContext(services)
    const { found, lines } = yield* outcomesIn(answers)
    const files = requests === undefined ? undefined : yield* filesAt(requests, most)
    const asked = new Set<string>()
    const [used, failed] = [new Set<string>(), new Set<string>()]
    const not = (kind: NotAnswered["kind"], reason: string) =>
      Effect.fail(new WriterError({ reason: new NotAnswered({ endpoint, kind, reason }) }))

    /** The answer in a file; a failure there is one of this request. */
    const answerTo = Effect.fnUntraced(function*(key: string, request: WriteRequest) {
      const outcome = found.get(key)
      if (outcome === undefined) return undefined
      const answer = "failure" in outcome ? { reason: outcome.failure } : answerOf(outcome.body, request, model)
      if (!("reason" in answer)) return answer as Omit<Answer, "request_key">
      failed.add(key)
      return yield* not("failed", answer.reason)
    })
    /** Writes a request, once. */
    const ask = Effect.fnUntraced(function*(key: string, body: Body) {
      if (!asked.has(key)) {
        asked.add(key)
        const line = { custom_id: key, method: "POST", url: "/v1/chat/completions", body }
        yield* on(unkept(files!.add(JSON.stringify(line))))
      }
      return yield* not("waiting", `the request is in ${requests!}`)
    })
    const finish = Effect.gen(function*() {
      const written = files === undefined ? [] : yield* on(unkept(files.finish))
      return {
        files: written,
        waiting: asked.size,
        answers: { lines, used: used.size, failed: failed.size, unknown: found.size - used.size }
      } satisfies BatchReport as BatchReport
    })
    return {
      /** Whether requests are written, and not made. */
      writes: files !== undefined,
      has: (key: string) => found.has(key),
      /** Notes that a request is one of this writer, whether its answer is kept already or not. */
      see: (key: string): void => void (found.has(key) && used.add(key)),
      answerTo,
      ask,
      finish
    }
  }
)
/** Open files. */
export type Batch = Effect.Success<ReturnType<typeof make>>
