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
      + "(modules_to_save). The tower that looks at pictures stays as it is, unless train_tower is set.",
    affects: "learning",
    default: false,
    neutral: false,
    matters: all(reads, looks)
  }),
  train_tower: setting(Schema.Boolean, {
    description:
      "Train the tower that looks at pictures too: in full, or with adapters on those of its layers that lora_target_modules names. "
      + "Every prompt then passes through it in training, and again whenever the reader answers; the projector learns by train_projector.",
    affects: "learning",
    default: false,
    neutral: false,
    matters: all(reads, looks)
  }),
  features_in_memory: setting(Natural, {
    description:
      "MiB of pictures' features that the reader keeps in memory, or of their pixels where its tower is trained; others are "
      + "computed again whenever they are needed.",
    affects: "output",
    default: 512,
    matters: looks
  })
}
/** The section's settings, each with a value. */
export type Pictures = Schema.Struct.Type<typeof pictures>
