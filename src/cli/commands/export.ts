/** Export a trained model. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { join } from "node:path"
import { parts } from "../../domain/fileNames.ts"
import { exportGguf, exportPart } from "../../programs/export.ts"
import * as OnnxFolder from "../../runtime/models/export/onnx.ts"
import { lines, runtime, settings, settle, tell } from "../command.ts"
import { format, gguf } from "../savedFormat.ts"

export const exportCommand = Command.make(
  "export",
  {
    ...settings,
    ...format,
    onnx: Flag.Boolean("onnx").pipe(
      Flag.withDescription("Add an ONNX model, for transformers.js"),
      Flag.withDefault(false)
    ),
    gguf,
    part: Argument.Literals("part", parts).pipe(Argument.withDescription("Which model")),
    out: Argument.Path("out").pipe(Argument.withDescription("New folder, or GGUF file, to write to"))
  },
  Effect.fnUntraced(function*({ gguf: type, onnx, out, part, ...flags }) {
    if (Option.isSome(type)) return yield* tell(yield* exportGguf(yield* settle(flags), part, out, type.value), lines)
    const saved = yield* exportPart(yield* settle(flags), part, out, flags)
    const added = onnx ? (yield* OnnxFolder.add(out)).files.map((file) => join("onnx", file)) : []
    yield* tell({ ...saved, files: [...saved.files, ...added] }, lines)
  })
).pipe(
  Command.withDescription(
    "Export a model of the newest checkpoint as a Hugging Face folder or a GGUF file, adapters merged"
  ),
  Command.provide(runtime)
)
