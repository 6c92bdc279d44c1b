/** Spans of a command at an OTLP endpoint of our own: their names, their nesting, and what is said where it is down. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { rmSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { anamnesis, prepare } from "../support/cli.ts"

interface Span {
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly attributes: ReadonlyArray<{ readonly key: string; readonly value: { readonly stringValue?: string } }>
}
interface Request {
  readonly url: string
  readonly type: string
  readonly key: string
  readonly body: Buffer
}

let folder: string
let server: Server
const requests: Array<Request> = []
/** Tests run side by side, each with a path of its own. */
const endpoint = (path: string): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`
const sentTo = (path: string): ReadonlyArray<Request> => requests.filter(({ url }) => url.startsWith(`/${path}`))
beforeAll(async () => {
  folder = await prepare()
  server = createServer((request, response) => {
    const parts: Array<Buffer> = []
    request.on("data", (part: Buffer) => void parts.push(part))
    request.on("end", () => {
      const { "content-type": type = "", "x-key": key = "" } = request.headers
      requests.push({ url: request.url ?? "", type, key: String(key), body: Buffer.concat(parts) })
      response.writeHead(request.url?.startsWith("/refused") ? 400 : 200).end("{}")
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
}, 60_000)
afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

const train = (env: Readonly<Record<string, string>>, out: string) =>
  anamnesis(folder, ["train", "--config", "run.yaml", "--set", `output_dir=${out}`, "--set", "max_steps=2"], { env })

describe("spans of a command", () => {
  it("reach the endpoint, each within the span that began it, down to the runs of programs", async () => {
    const { code, err } = await train({
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint("nested"),
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_HEADERS: "x-key=secret",
      OTEL_BSP_SCHEDULE_DELAY: "200"
    }, "traced")
    assert.strictEqual(code, 0, err)
    assert.notMatch(err, /spans/)
    const sent = sentTo("nested")
    assert.isTrue(sent.length > 0 && sent.every(({ key, url }) => url === "/nested/v1/traces" && key === "secret"))
    const all = sent.map(({ body }) => JSON.parse(body.toString()))
    const [resource] = all[0].resourceSpans
    const service = resource.resource.attributes.find(({ key }: { readonly key: string }) => key === "service.name")
    assert.strictEqual(service.value.stringValue, "anamnesis")
    const spans: ReadonlyArray<Span> = all.flatMap(({ resourceSpans }) =>
      resourceSpans.flatMap(({ scopeSpans }: any) => scopeSpans.flatMap(({ spans }: any) => spans))
    )
    const byId = new Map(spans.map((span) => [span.spanId, span]))
    const pathOf = ({ name, parentSpanId }: Span): string => {
      const parent = byId.get(parentSpanId ?? "")
      return parent ? `${pathOf(parent)} > ${name}` : name
    }
    const paths = new Set(spans.map(pathOf))
    const roots = spans.filter(({ parentSpanId }) => !parentSpanId)
    assert.deepStrictEqual(roots.map(({ name }) => name), ["anamnesis"])
    assert.strictEqual(roots[0]!.attributes.find(({ key }) => key === "command")!.value.stringValue, "train")
    for (
      const end of [
        "train > stage.retrieve > retriever.search > program.run",
        "train > stage.read > languageModel.nll > program.run",
        "train > stage.update > retriever.learn > program.run",
        "train > stage.update > languageModel.learn > program.run"
      ]
    ) {
      assert.isTrue(
        [...paths].some((path) => path.startsWith("anamnesis > ") && path.endsWith(end)),
        `${end} of ${[...paths].join("\n")}`
      )
    }
    const programs = spans.filter(({ name }) => name === "program.run")
    assert.isTrue(programs.some(({ attributes }) => attributes[0]?.value.stringValue?.startsWith("reader.learn")))
  }, 60_000)

  it(
    "are protobuf unless the variables say otherwise, and are not sent without an endpoint or where that is disabled",
    async () => {
      const env = (own: Readonly<Record<string, string>>) => anamnesis(folder, ["env"], { env: own })
      await env({})
      await env({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint("none"), OTEL_SDK_DISABLED: "true" })
      assert.deepStrictEqual(sentTo("none"), [])
      await env({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint("mine") })
      assert.deepStrictEqual(sentTo("mine").map(({ type, url }) => [url, type])[0], ["/mine", "application/x-protobuf"])
    },
    60_000
  )

  it(
    "are told to be lost, once, where the endpoint is down, refuses them or is none; the command goes on",
    async () => {
      const lost = (err: string) => err.split("\n").filter((line) => /spans/.test(line))
      const down = await train(
        { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9", OTEL_BSP_SCHEDULE_DELAY: "50" },
        "down"
      )
      assert.strictEqual(down.code, 0, down.err)
      assert.deepStrictEqual(lost(down.err), [
        "anamnesis: warning: spans are lost: the OTLP endpoint http://127.0.0.1:9 cannot be reached; the command goes on"
      ])
      const refused = await anamnesis(folder, ["env"], { env: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint("refused") } })
      assert.strictEqual(refused.code, 0)
      assert.match(
        lost(refused.err).join("\n"),
        /^anamnesis: warning: spans are lost: .* answers with status 400; the command goes on$/
      )
      const wrong = await anamnesis(folder, ["env"], { env: { OTEL_EXPORTER_OTLP_ENDPOINT: "localhost:4317" } })
      assert.strictEqual(wrong.code, 0)
      assert.match(
        lost(wrong.err).join("\n"),
        /the OTLP endpoint "localhost:4317" is no URL of http or https: no spans are exported/
      )
      const grpc = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint("grpc"), OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }
      assert.match(
        (await anamnesis(folder, ["env"], { env: grpc })).err,
        /the OTLP protocol "grpc" is not one of http\/protobuf, http\/json/
      )
    },
    90_000
  )
})
