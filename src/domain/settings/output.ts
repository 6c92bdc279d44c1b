/** Output settings: where results go and what a run keeps. */
import * as Schema from "effect/Schema"
import { Count, MaybeSteps, Path } from "./kinds.ts"
import { setting } from "./setting.ts"

/** The section's settings by name. */
export const output = {
  output_dir: setting(Path, {
    description: "Folder of the run: checkpoints, journal, evaluations.",
    affects: "output"
  }),
  logging_steps: setting(Count, {
    description: "Steps between lines of progress, where output is not a terminal.",
    affects: "output",
    default: 10,
    aliases: ["log_freq"]
  }),
  save_steps: setting(MaybeSteps, {
    description: "Steps between checkpoints; -1 for one at the end only.",
    affects: "output",
    default: 500,
    aliases: ["save_freq", "save_every", "checkpointing_steps"]
  }),
  report_to: setting(Schema.Literals(["none", "tensorboard"]), {
    description:
      "Where figures of steps and evaluations go beside the journal: event files for TensorBoard, or nowhere.",
    affects: "output",
    default: "none",
    neutral: "none"
  }),
  save_total_limit: setting(Count, {
    description: "How many of the newest checkpoints are kept.",
    affects: "output",
    default: 2
  })
}
/** The section's settings, each with a value. */
export type Output = Schema.Struct.Type<typeof output>
