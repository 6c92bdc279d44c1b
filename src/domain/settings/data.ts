/** Data settings: corpus, questions, splits. */
import * as Schema from "effect/Schema"
import { MaybePath, Natural, Share, Where } from "./kinds.ts"
import { setting } from "./setting.ts"
import { inModes, looks, where } from "./uses.ts"

/** In modes whose questions or texts come from files. */
const asked = inModes(({ questions }) => questions !== "made")
const hasFile = (split: string) => where(`with ${split}_file`, (c) => c[`${split}_file`] !== "")

/** The section's settings by name. */
export const data = {
  passages_file: setting(MaybePath, {
    description:
      "Passages: JSON lines, a JSON array or object, parquet, a table (`.tsv`), or a folder of records; `.gz` is read too "
      + "(docs/data.md). Mode contrastive needs none to train on rows of texts.",
    affects: "learning",
    default: ""
  }),
  corpus_in_memory: setting(Natural, {
    description:
      "MiB of the passages' texts that are kept in memory; where there are more, all of them go to a file in "
      + "the temporary folder (`TMPDIR`) and are read from there. 0 keeps none.",
    affects: "output",
    default: 256
  }),
  images_in_memory: setting(Natural, {
    description:
      "MiB of decoded pictures that are kept in memory, and as many of arrays (`.npz`) that hold pictures; others are "
      + "decoded again whenever they are needed.",
    affects: "output",
    default: 256,
    matters: looks
  }),
  train_file: setting(MaybePath, {
    description: "Training questions, or rows to learn as texts, in any of the forms of docs/data.md.",
    affects: "learning",
    default: "",
    matters: (c, modes) => c["holdout"] !== 0 && c["test_file"] === "" ? undefined : asked(c, modes)
  }),
  queries_file: setting(MaybePath, {
    description:
      "Texts of the queries that `train_file` names by id (ColBERT's triples): a table of ids and texts, or a file of "
      + "questions; by default the `queries.tsv` or `queries.jsonl` beside it.",
    affects: "learning",
    default: "",
    matters: where("in mode contrastive", ({ mode }) => mode === "contrastive")
  }),
  validation_file: setting(MaybePath, {
    description: "Validation questions, for `evaluate --split validation`.",
    affects: "output",
    default: ""
  }),
  test_file: setting(MaybePath, {
    description: "Test questions, the default split of `evaluate`.",
    affects: "output",
    default: ""
  }),
  passages_where: setting(Where, {
    description: "Keep only the records whose fields equal these values.",
    affects: "learning",
    default: {}
  }),
  train_where: setting(Where, {
    description: "As `passages_where`, for `train_file`.",
    affects: "learning",
    default: {},
    matters: hasFile("train")
  }),
  validation_where: setting(Where, {
    description: "As `passages_where`, for `validation_file`.",
    affects: "output",
    default: {},
    matters: hasFile("validation")
  }),
  test_where: setting(Where, {
    description: "As `passages_where`, for `test_file`.",
    affects: "output",
    default: {},
    matters: hasFile("test")
  }),
  max_eval_samples: setting(Natural, {
    description: "Greatest number of questions of a test or validation split that are asked, spread evenly over it; 0 "
      + "for all.",
    affects: "output",
    default: 0
  }),
  holdout: setting(Share, {
    description: "Share of the groups of `train_file` held out for testing where there is no `test_file`.",
    affects: "learning",
    default: 0,
    matters: where("without test_file", ({ test_file }) => test_file === "")
  }),
  group_field: setting(Schema.NonEmptyString, {
    description:
      "Field that names a question's group: groups are held out, and resampled in the bootstrap, as a whole.",
    affects: "learning",
    default: "group"
  }),
  gold_field: setting(Schema.NonEmptyString, {
    description: "Field that has the ids of a question's gold passages.",
    affects: "output",
    default: "gold"
  }),
  type_field: setting(Schema.NonEmptyString, {
    description: "Field that names a question's type, by which accuracy is reported too: a benchmark's dataset, say.",
    affects: "learning",
    default: "type"
  }),
  distractors: setting(Schema.Literals(["given", "random"]), {
    description: "Wrong options: as the file gives them, or drawn at random from the right answers of its other "
      + "questions.",
    affects: "learning",
    default: "given"
  }),
  skip_bad_lines: setting(Schema.Boolean, {
    description: "Skip and count malformed lines instead of stopping at the first.",
    affects: "output",
    default: false
  })
}
/** The section's settings, each with a value. */
export type Data = Schema.Struct.Type<typeof data>
