/** A run with pictures, from files to answers: models made by `init`, a retriever of texts, a reader of pictures. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Result from "effect/Result"
import { readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Raw } from "../../src/domain/settings/RunConfig.ts"
import { init } from "../../src/programs/init.ts"
import * as Run from "../../src/programs/run.ts"
import { cpu } from "../../src/runtime/engine/providers.ts"
import * as Safetensors from "../../src/runtime/files/safetensors/write.ts"
import { silent } from "../../src/runtime/ports/Reporter.ts"
import { decode } from "../../src/systems/all.ts"
import { folderOf } from "../support/files.ts"

const path = (name: string) => join(import.meta.dirname, "..", "golden", "pictures", `${name}.png`)
const [red, gray] = [path("rgb"), path("gray")]
const lines = (records: ReadonlyArray<object>) => records.map((record) => JSON.stringify(record)).join("\n")
const questions = Array.from({ length: 8 }, (_, i) => ({
  id: `q${i}`,
  question: "Which picture is this",
  options: ["bright", "dull"],
  answer: i % 2 === 0 ? "bright" : "dull",
  image: i % 2 === 0 ? red : gray
}))
const passages = [
  { _id: "p0", text: "This picture is bright", image: red },
  { _id: "p1", text: "This picture is dull", image: gray },
  { _id: "p2", text: "No picture is here" }
]

const settings = (folder: string, own: Raw) =>
  decode("test", {
    preset: "paper",
    output_dir: join(folder, "run"),
    passages_file: join(folder, "passages.jsonl"),
    train_file: join(folder, "questions.jsonl"),
    retriever_name_or_path: join(folder, "retriever"),
    reader_name_or_path: join(folder, "reader"),
    document_prompt: "<image>Reference: {text}\n",
    question_prompt: "<image>{question}",
    answer_format: "text",
    n_candidates: 3,
    retriever_n_context: 2,
    n_context: 2,
    max_length: 200,
    query_max_len: 16,
    passage_max_len: 16,
    per_device_train_batch_size: 4,
    learning_rate: 3e-3,
    train_projector: true,
    use_full_attn: true,
    max_steps: 2,
    ...own
  })

/** With the system's services, and what was told. */
const within = <A, E>(use: (folder: string) => Effect.Effect<A, E, any>) => {
  const told: Array<string> = []
  const logger = Logger.make(({ message }) => void told.push(String(message)))
  return Effect.gen(function*() {
    const folder = yield* folderOf({ "questions.jsonl": lines(questions), "passages.jsonl": lines(passages) })
    return { value: yield* use(folder), told }
  }).pipe(
    Effect.scoped,
    Effect.provide(
      Layer.mergeAll(cpu({ threads: 1 }), silent, Logger.layer([logger])).pipe(Layer.provideMerge(NodeServices.layer))
    )
  ) as unknown as Effect.Effect<{ readonly value: A; readonly told: ReadonlyArray<string> }, E>
}

const failureOf = (result: Result.Result<unknown, { readonly message: string }>): string =>
  Result.isFailure(result) ? result.failure.message : "there is none"

describe("a run with pictures", () => {
  it.live("trains both models, the reader on pictures of questions and passages", () =>
    Effect.gen(function*() {
      const { value } = yield* within((folder) =>
        Effect.gen(function*() {
          const c = yield* settings(folder, { mode: "joint" })
          yield* init(c, { pictures: 8 })
          const { checkpoint } = yield* Run.run(c, false)
          const files = readdirSync(join(checkpoint, "reader"))
          const names = [...(yield* Safetensors.read(join(checkpoint, "reader", "model.safetensors"))).keys()]
          return { files, parts: new Set(names.map((name) => name.split(".")[0])) }
        })
      )
      assert.includeMembers(value.files, ["processor_config.json", "preprocessor_config.json", "chat_template.jinja"])
      assert.deepStrictEqual([...value.parts].toSorted(), ["language_model", "multi_modal_projector", "vision_tower"])
    }))
  it.live("tells of pictures that no prompt shows, and refuses a reader of texts where one does", () =>
    Effect.gen(function*() {
      const train = ({ image, words, ...own }: Raw, pictures?: number) =>
        within((folder) =>
          Effect.gen(function*() {
            const worded = questions.map((own) =>
              Object.assign(
                {},
                own,
                words === undefined ? {} : { question: words },
                image === undefined ? {} : { image }
              )
            )
            writeFileSync(join(folder, "questions.jsonl"), lines(worded))
            const c = yield* settings(folder, { mode: "oracle", max_steps: 1, train_projector: false, ...own })
            yield* init(c, { pictures })
            return yield* Effect.result(Run.run(c, false))
          })
        )
      const gold = { mode: "bm25_rag" }
      const plain = { ...gold, document_prompt: "{text}\n", question_prompt: "{question}" }
      const { told, value } = yield* train(plain)
      assert.strictEqual(value._tag, "Success")
      const sentence = (what: string, prompt: string) =>
        `${what} have pictures that the reader is not shown: ${prompt} has no <image>`
      assert.isTrue(told.some((line) => line.endsWith(sentence("8 questions", "question_prompt"))))
      assert.isTrue(told.some((line) => line.endsWith(sentence("2 passages", "document_prompt"))))
      const refused = yield* train(gold)
      assert.match(
        failureOf(refused.value),
        /reads texts alone, and a prompt has a picture/
      )
      const worded = yield* train({ ...gold, words: "Is <image> closed" }, 8)
      assert.match(
        failureOf(worded.value),
        /8 questions have the words <image>, which the reader takes for a picture \(first: q0\)/
      )
      const lost = yield* train({ ...gold, image: "/nowhere/1.png" }, 8)
      assert.match(failureOf(lost.value), /1 pictures of questions are not there \(first: \/nowhere\/1\.png, of q0\)/)
      const undrawn = yield* train(gold, 8)
      assert.match(
        failureOf(undrawn.value),
        /its projector is not trained.*train_projector/
      )
    }))
})
