/** Settings of how a reader reads pictures. */
import * as Schema from "effect/Schema"
import { Natural } from "./kinds.ts"
import { setting } from "./setting.ts"
import { all, looks, reads } from "./uses.ts"

/** The section's settings by name. */
export const pictures = {
  train_projector: setting(Schema.Boolean, {
    description:
      "Train the projector too, which brings pictures to the reader's width; with adapters it is saved in full beside them "
      + "(modules_to_save). The tower that looks at pictures stays as it is.",
    affects: "learning",
    default: false,
    neutral: false,
    matters: all(reads, looks)
  }),
  features_in_memory: setting(Natural, {
    description:
      "MiB of pictures' features that the reader keeps in memory; others are computed again whenever they are needed.",
    affects: "output",
    default: 512,
    matters: looks
  })
}
/** The section's settings, each with a value. */
export type Pictures = Schema.Struct.Type<typeof pictures>
