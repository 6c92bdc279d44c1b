/** Add an ONNX model to a model folder. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as OnnxFolder from "../../runtime/models/export/onnx.ts"
import { lines, runtime, tell } from "../command.ts"

export const onnxCommand = Command.make(
  "onnx",
  { folder: Argument.Directory("folder").pipe(Argument.withDescription("Model folder with its weights")) },
  Effect.fnUntraced(function*({ folder }) {
    yield* tell(yield* OnnxFolder.add(folder), lines)
  })
).pipe(
  Command.withDescription("Add an ONNX model to a model folder, as transformers.js loads it: onnx/model.onnx"),
  Command.provide(runtime)
)
