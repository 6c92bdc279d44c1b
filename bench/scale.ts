/**
 * What large files take: the command line on a million passages, a hundred thousand questions and a file of 3 GB, each in a
 * process of its own whose greatest memory is told.
 *
 *     node bench/scale.ts [passages] [questions] [lines] [--threads 2] [--passages 1000000] [--characters 0]
 *       [--questions 100000] [--gigabytes 3] [--only validate]
 *
 * `--characters` is the least length of a passage; `--only`, the one command of `passages` that is run.
 */
import { spawnSync } from "node:child_process"
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"

const { positionals, values: options } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "2" },
    passages: { type: "string", default: "1000000" },
    characters: { type: "string", default: "0" },
    only: { type: "string" },
    questions: { type: "string", default: "100000" },
    gigabytes: { type: "string", default: "3" }
  }
})
const does = (command: string): boolean => options.only === undefined || options.only === command
const characters = Number(options.characters)
const wanted = (name: string): boolean => positionals.length === 0 || positionals.includes(name)

const program = join(import.meta.dirname, "..", "src", "bin.ts")
const folder = mkdtempSync(join(tmpdir(), "scale-"))
const peakFile = join(folder, "peak")

/** Writes the greatest memory of a process, in bytes, and its seconds of CPU where `PEAK` says; imported into it. */
const hook = join(folder, "peak.mjs")
writeFileSync(
  hook,
  "import { writeFileSync } from 'node:fs'\n"
    + "const used = ({ maxRSS, userCPUTime, systemCPUTime }) => [maxRSS * 1024, (userCPUTime + systemCPUTime) / 1e6]\n"
    + "process.on('exit', () => writeFileSync(process.env.PEAK, JSON.stringify(used(process.resourceUsage()))))\n"
)

/** Runs a command, and tells its time and memory. */
const run = (what: string, ...args: ReadonlyArray<string>): void => {
  const began = performance.now()
  const { status, stderr } = spawnSync(process.execPath, ["--import", hook, program, ...args], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, PEAK: peakFile, THREADS: options.threads },
    maxBuffer: 2 ** 30
  })
  if (status !== 0) throw new Error(`${what}: ${stderr.slice(-2000)}`)
  const seconds = (performance.now() - began) / 1000
  const [peak, cpu] = JSON.parse(readFileSync(peakFile, "utf8")) as [number, number]
  const told = [`${seconds.toFixed(1)} s`, `${cpu.toFixed(1)} s of CPU`, `${(peak / 2 ** 20).toFixed(0)} MiB`]
  process.stdout.write(`${what.padEnd(44)} ${told.map((figure) => figure.padStart(14)).join("")}\n`)
}

/** Writes records as lines until there are so many, or so many bytes. */
const write = (name: string, record: (i: number) => object, enough: (i: number, bytes: number) => boolean): string => {
  const path = join(folder, name)
  const file = openSync(path, "w")
  let [bytes, pending] = [0, ""]
  for (let i = 0; !enough(i, bytes); i++) {
    const line = `${JSON.stringify(record(i))}\n`
    bytes += line.length
    pending += line
    if (pending.length < 2 ** 22) continue
    writeSync(file, pending)
    pending = ""
  }
  writeSync(file, pending)
  closeSync(file)
  return path
}

/** Ten thousand words that are made of syllables. */
const syllables = ["ba", "de", "fi", "go", "lu", "ma", "ne", "pi", "ro", "tu"]
const word = (i: number): string => {
  const n = (Math.imul(i, 2654435761) >>> 0) % 10_000
  return [1000, 100, 10, 1].map((unit) => syllables[Math.floor(n / unit) % 10]).join("")
}
const passage = (i: number) => ({
  _id: `p${i}`,
  text: `${word(i)} ${word(i + 7)} ${word(2 * i + 1)} causes ${word(3 * i)}`
})
/** The same, with other words after it until it is as long as it should be. */
const longer = (i: number) => {
  const { _id, text } = passage(i)
  const words = Array.from(
    { length: Math.max(0, Math.ceil((characters - text.length) / 9)) },
    (_, k) => word(i * k + k)
  )
  return { _id, text: [text, ...words].join(" ") }
}
const question = (i: number) => ({
  id: `q${i}`,
  question: `What does ${word(i)} ${word(i + 7)} cause?`,
  options: [word(3 * i), word(i + 1), word(i + 2)],
  answer: word(3 * i)
})

const settings = (overrides: object) =>
  writeFileSync(
    join(folder, "run.json"),
    JSON.stringify({
      output_dir: "run",
      passages_file: "passages.jsonl",
      retriever_name_or_path: "retriever",
      reader_name_or_path: "reader",
      train_file: "train.jsonl",
      max_steps: 1,
      n_candidates: 8,
      retriever_n_context: 4,
      n_context: 2,
      query_max_len: 16,
      passage_max_len: 24,
      max_length: 256,
      per_device_eval_batch_size: 64,
      refresh_index: "never",
      ...overrides
    })
  )

/** Small models of the first of the texts, trained for a step. */
const models = (): void => {
  const few = { output_dir: "few", passages_file: "few.jsonl" }
  write("few.jsonl", passage, (i) => i === 1000)
  write("train.jsonl", question, (i) => i === 100)
  settings(few)
  run("init, of 1,000 passages", "init", "-c", "run.json")
  run("train, one step", "train", "-c", "run.json")
  const trained = join(folder, "few", "checkpoint-1")
  settings({ retriever_name_or_path: join(trained, "retriever"), reader_name_or_path: join(trained, "reader") })
}

const sized = (path: string): string => `${(statSync(path).size / 1e9).toFixed(2)} GB`

try {
  models()
  if (wanted("passages")) {
    const count = Number(options.passages)
    const path = write("passages.jsonl", longer, (i) => i === count)
    const what = `${count.toLocaleString("en")} passages (${sized(path)})`
    if (does("validate")) {
      run(`validate, ${what}`, "validate", "-c", "run.json")
      run("validate, texts on the disk", "validate", "-c", "run.json", "--set", "corpus_in_memory=0")
    }
    if (does("embed")) {
      run(`embed, ${what}`, "embed", "-c", "run.json", "--out", "index")
      run("answer, by the index", "answer", "-c", "run.json", "--set", "index_path=index", "What does babababa cause?")
      process.stdout.write(`the index has ${sized(join(folder, "index", "vectors.safetensors"))}\n`)
      rmSync(join(folder, "index"), { recursive: true })
    }
    rmSync(path)
  }
  if (wanted("questions")) {
    const count = Number(options.questions)
    write("passages.jsonl", passage, (i) => i === 1000)
    const path = write("questions.jsonl", question, (i) => i === count)
    run(
      `answer, ${count.toLocaleString("en")} questions (${sized(path)})`,
      "answer",
      "-c",
      "run.json",
      "--questions",
      path
    )
  }
  if (wanted("lines")) {
    const most = Number(options.gigabytes) * 1e9
    const long = (i: number) => ({
      ...passage(i),
      kind: i % 100 === 0 ? "kept" : "left",
      text: `${passage(i).text} `.repeat(20)
    })
    const path = write("passages.jsonl", long, (_, bytes) => bytes >= most)
    run(
      `validate, a file of ${sized(path)}, 1% of it kept`,
      "validate",
      "-c",
      "run.json",
      "--set",
      "passages_where={\"kind\":\"kept\"}"
    )
  }
} finally {
  rmSync(folder, { recursive: true })
}
