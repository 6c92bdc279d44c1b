/** The devices that programs run on through ONNX Runtime's C interface. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Half } from "../../../kernels/half.ts"
import * as Targets from "../../../kernels/onnx/target.ts"
import { ProviderUnavailable, SessionError } from "../Session.ts"
import { sessionSettings } from "../sessionSettings.ts"
import { alive, Api } from "./api.ts"
import { DeviceArrays } from "./arrays.ts"
import { type DeviceMemory, ofCuda, ofHost } from "./memory.ts"
import type { Device } from "./programs.ts"

const refused = (provider: string) => (cause: unknown) =>
  new SessionError({
    reason: new ProviderUnavailable({
      provider,
      missing: `ONNX Runtime's C interface cannot be called: ${String((cause as Error).message ?? cause)}`,
      remedy: "Install the package koffi with the others (npm install, without --omit=optional)."
    })
  })

const opened = <A>(provider: string, open: () => Promise<A>) =>
  Effect.tryPromise({ try: open, catch: refused(provider) })

/** The interface, and arrays kept in the memory of a device until the scope ends. */
const arraysIn = (provider: string, memoryOf: (api: Api) => Promise<DeviceMemory>) =>
  Effect.acquireRelease(
    opened(provider, async () => {
      const api = await Api.load()
      const [host, memory] = [await ofHost(api), await memoryOf(api)]
      return { api, arrays: new DeviceArrays(api, host.info, memory) }
    }),
    ({ arrays }) => Effect.sync(() => arrays.close())
  )

/** A GPU of CUDA. */
export const cuda = (index: number, products: Half | undefined): Effect.Effect<Device, SessionError, Scope.Scope> =>
  Effect.map(arraysIn("cuda", (api) => ofCuda(api, index)), ({ api, arrays }) => {
    const append: Device["append"] = (options) => {
      const given = api.made("CreateCUDAProviderOptions")
      try {
        const [keys, values] = [api.texts(["device_id"]), api.texts([String(index)])]
        api.call("UpdateCUDAProviderOptions", given, keys.addresses, values.addresses, 1)
        api.call("SessionOptionsAppendExecutionProvider_CUDA_V2", options, given)
        alive(keys, values)
      } finally {
        api.release("ReleaseCUDAProviderOptions", given)
      }
    }
    return {
      api,
      arrays,
      target: Targets.cuda,
      products,
      append,
      threads: 1,
      settings: (whole) => sessionSettings(true, whole)
    }
  })

/** The CPU as if it were a device. */
export const host: Effect.Effect<Device, SessionError, Scope.Scope> = Effect.map(
  arraysIn("cpu", ofHost),
  ({ api, arrays }) => ({
    api,
    arrays,
    target: Targets.cpu,
    append: () => {},
    threads: 1,
    settings: (whole) => sessionSettings(false, whole)
  })
)
