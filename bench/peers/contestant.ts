/** A process that takes its turns: each line to it is answered with a line of JSON. */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"

export const contestant = async <Turn>(
  name: string,
  command: string,
  args: ReadonlyArray<string>,
  env = process.env
) => {
  const child = spawn(command, args, { env, stdio: ["pipe", "pipe", "inherit"] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async (): Promise<unknown> => {
    const line = await lines.next()
    if (line.done) throw new Error(`${name} ended`)
    return JSON.parse(line.value)
  }
  const ready = await answer()
  const turns: Array<Turn> = []
  const turn = async (asked: unknown): Promise<void> => {
    child.stdin.write(`${JSON.stringify(asked)}\n`)
    turns.push(await answer() as Turn)
  }
  return { name, ready, turns, turn, end: () => void child.stdin.end() }
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) / 2
}
