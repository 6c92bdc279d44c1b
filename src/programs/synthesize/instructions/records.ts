/** Records of instructions: the columns of MediFlow's card, and those of preferences beside them. */
import type { Provenance } from "../pipeline.ts"
import type { Fallible } from "./corrupt.ts"
import type { Judged } from "./judge.ts"

/** MediFlow's columns, its scores only if there are any, and where each text is from. */
export const rowOf = ({ from, id, input, instruction, judged, output, scores }: Judged) => {
  const { difficulty_level, input_data, output_format, task_type } = instruction.drawn.tuple
  return {
    id,
    instruction: instruction.text,
    input,
    output,
    task_type: task_type.name,
    input_data: input_data.name,
    output_format: output_format.name,
    difficulty_level: difficulty_level.name,
    rejected_output: "",
    error_type: "",
    ...scores,
    synthetic: { instruction: instruction.from, output: from, ...(judged === undefined ? {} : { scores: judged }) }
  }
}

/** The same with a worse output, and as a preference in TRL's form: the instruction is the system's message. */
export const preferenceOf = ({ error, pair }: Fallible, rejected: string, from: Provenance) => {
  const row = rowOf(pair)
  return {
    ...row,
    prompt: [{ role: "system", content: row.instruction }, { role: "user", content: row.input }],
    chosen: [{ role: "assistant", content: row.output }],
    rejected: [{ role: "assistant", content: rejected }],
    rejected_output: rejected,
    error_type: error.name,
    synthetic: { ...row.synthetic, rejected_output: from }
  }
}
