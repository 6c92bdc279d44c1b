/** Spans exported over OTLP/HTTP, where OpenTelemetry's variables name an endpoint; nothing is sent without one. */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>

const [SHARED, OWN] = ["OTEL_EXPORTER_OTLP", "OTEL_EXPORTER_OTLP_TRACES"]

/** The value of a variable for all signals, or of that for traces alone, which wins. */
const named = (env: Environment, what: string): string => env[`${OWN}_${what}`] || env[`${SHARED}_${what}`] || ""

/** Protocols of OpenTelemetry's specification that are HTTP; the first is its default. */
const protocols = ["http/protobuf", "http/json"] as const

/** Why spans cannot be exported as the variables say; `undefined` if they can. */
const problemOf = (env: Environment): string | undefined => {
  const [endpoint, protocol] = [named(env, "ENDPOINT"), named(env, "PROTOCOL")]
  if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint)) {
    return `the OTLP endpoint "${endpoint}" is no URL of http or https`
  }
  const known = protocol === "" || protocols.some((one) => one === protocol)
  return known ? undefined : `the OTLP protocol "${protocol}" is not one of ${protocols.join(", ")}`
}

/** The exporter of Effect, with a client that tells once that the endpoint does not take what is sent. */
const exporting = Effect.fnUntraced(function*(env: Environment, version: string) {
  const [FetchHttpClient, HttpClient, OtlpSerialization, OtlpTracer] = yield* Effect.promise(() =>
    Promise.all([
      import("effect/http/FetchHttpClient"),
      import("effect/http/HttpClient"),
      import("effect/observability/OtlpSerialization"),
      import("effect/observability/OtlpTracer")
    ])
  )
  let told = false
  const lost = (why: string) =>
    Effect.suspend(() => {
      if (told) return Effect.void
      told = true
      return Effect.logWarning(
        `spans are lost: the OTLP endpoint ${named(env, "ENDPOINT")} ${why}; the command goes on`
      )
    })
  const telling = HttpClient.layerMergedContext(
    Effect.map(HttpClient.HttpClient, (client) =>
      client.pipe(
        HttpClient.tap(({ status }) => status < 400 ? Effect.void : lost(`answers with status ${status}`)),
        HttpClient.tapError(() => lost("cannot be reached"))
      ))
  )
  const serialization = named(env, "PROTOCOL") === "http/json"
    ? OtlpSerialization.layerJson
    : OtlpSerialization.layerProtobuf
  const given = Object.entries({ OTEL_TRACES_EXPORTER: "otlp", OTEL_BSP_EXPORT_TIMEOUT: "5000", ...env })
  const config = ConfigProvider.fromEnv({
    env: Object.fromEntries(given.flatMap(([name, value]) => value ? [[name, value]] : []))
  })
  return OtlpTracer.layerFromConfig({
    resource: { serviceName: env["OTEL_SERVICE_NAME"] || "anamnesis", serviceVersion: version }
  }).pipe(
    Layer.provide(Layer.mergeAll(serialization, telling.pipe(Layer.provide(FetchHttpClient.layer)))),
    Layer.provide(ConfigProvider.layer(config))
  )
})

/**
 * Exports the spans of a command as `OTEL_EXPORTER_OTLP_ENDPOINT` and its kin say; does nothing where that is not set. Variables
 * that are wrong, or an endpoint that is down, are told once, and stop nothing.
 */
export const tracing = (env: Environment, version: string): Layer.Layer<never> => {
  if (named(env, "ENDPOINT") === "" || env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") return Layer.empty
  const problem = problemOf(env)
  if (problem !== undefined) {
    return Layer.effectDiscard(Effect.logWarning(`${problem}: no spans are exported`))
  }
  return Layer.unwrap(exporting(env, version)) as Layer.Layer<never>
}
