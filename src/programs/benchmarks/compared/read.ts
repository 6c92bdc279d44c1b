/** What `bench` left of a system: its figures by task, and those of each record. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { basename, dirname, join } from "node:path"
import { benchFile, benchFolder, benchSamples, benchSummary } from "../../../domain/fileNames.ts"
import { ConfigError } from "../../../domain/settings/configure.ts"
import { canonical } from "../../../domain/texts/canonical.ts"
import { decodeFile, decoding, exists, FileError, jsonOf } from "../../../runtime/files/disk.ts"
import * as LineFile from "../../../runtime/files/lineFile.ts"

/** A system: its name, and a folder that `bench` wrote to. */
export interface System {
  readonly name: string
  readonly folder: string
}

const Figure = Schema.Struct({
  metric: Schema.String,
  filter: Schema.String,
  mean: Schema.Finite,
  low: Schema.NullOr(Schema.Finite),
  high: Schema.NullOr(Schema.Finite),
  records: Schema.Natural
})
/** A figure over all records of a task. */
export type Figure = typeof Figure.Type

const Summary = Schema.Struct({
  tasks: Schema.Array(
    Schema.Struct({
      task: Schema.String,
      main: Schema.String,
      main_score: Schema.Finite,
      queries: Schema.Natural,
      splits: Schema.Array(Schema.String)
    })
  ),
  generative: Schema.optionalKey(
    Schema.Array(Schema.Struct({ task: Schema.String, main: Schema.String, figures: Schema.Array(Figure) }))
  )
})

/** What a task came to for a system. */
export interface Told {
  readonly task: string
  /** The name of the main score. */
  readonly main: string
  readonly figures: ReadonlyArray<Figure>
  /** What was asked: results of other tasks of the same name cannot be compared. */
  readonly asked: string
  /** File of each record's figures; `undefined` of retrieval on several splits, whose mean is the figure. */
  readonly samples: string | undefined
}

/** The argument `NAME=FOLDER`, or a folder alone, which is named by its last part that is not `bench`. */
export const systemOf = (argument: string): System => {
  const at = argument.indexOf("=")
  const folder = argument.slice(at + 1)
  const named = basename(folder) === benchFolder ? basename(dirname(folder)) : basename(folder)
  return { name: at < 0 ? named : argument.slice(0, at), folder }
}

/** The folder of results: the one that is given, or `bench` in it. */
const resultsOf = Effect.fnUntraced(function*({ folder, name }: System) {
  for (const own of [folder, join(folder, benchFolder)]) if (yield* exists(join(own, benchSummary))) return own
  const problem = `${name}: neither ${folder} nor ${
    join(folder, benchFolder)
  } has a ${benchSummary}, as bench writes it`
  return yield* new ConfigError({ source: "compare-tasks", problems: [problem] })
})

const Configs = Schema.Struct({ configs: Schema.Record(Schema.String, Schema.Unknown) })

/** The results of a system by task, in the order in which they were asked. */
export const resultsIn = Effect.fnUntraced(function*(system: System) {
  const folder = yield* resultsOf(system)
  const { generative = [], tasks } = yield* decodeFile(
    join(folder, benchSummary),
    Schema.decodeUnknownEffect(Summary)
  )
  const retrieved = yield* Effect.forEach(
    tasks,
    Effect.fnUntraced(function*({ main, main_score: mean, queries: records, splits, task }) {
      const samples = join(folder, benchSamples(task, splits[0]))
      return {
        task,
        main,
        figures: [{ metric: main, filter: "none", mean, low: null, high: null, records }],
        asked: splits.join(", "),
        samples: splits.length === 1 && (yield* exists(samples)) ? samples : undefined
      } satisfies Told as Told
    })
  )
  const answered = yield* Effect.forEach(generative, ({ figures, main, task }) =>
    Effect.map(
      decodeFile(join(folder, benchFile(task)), Schema.decodeUnknownEffect(Configs)),
      ({ configs }): Told => ({
        task,
        main,
        figures,
        asked: canonical(configs[task]),
        samples: join(folder, benchSamples(task))
      })
    ))
  return new Map([...retrieved, ...answered].map((own) => [own.task, own] as const))
})

const Sample = Schema.StructWithRest(
  Schema.Struct({
    doc_id: Schema.Natural,
    id: Schema.String,
    group: Schema.String,
    filter: Schema.String
  }),
  [Schema.Record(Schema.String, Schema.Unknown)]
)
/** A record's figures under a filter. */
export type Sample = typeof Sample.Type

/** The records of a file of samples; fails at a line that is none. */
export const samplesIn = (path: string) =>
  LineFile.read(path).pipe(
    Stream.zipWithIndex,
    Stream.mapEffect(([line, at]) =>
      Effect.mapError(
        Effect.flatMap(jsonOf(path, line), decoding(path, Schema.decodeUnknownEffect(Sample))),
        ({ reason }) => new FileError({ path, place: `line ${at + 1}`, reason })
      )
    ),
    Stream.runCollect
  )
