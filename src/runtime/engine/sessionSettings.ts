/** ONNX Runtime's settings of a session by key, the same whichever of its interfaces creates it. */

/**
 * Threads sleep while they wait: programs take turns within a step, and on a machine with other work, spinning threads
 * cost half the speed.
 *
 * On a device, a `whole` program has no node on the host, and fails if it would have one. ONNX Runtime's deterministic
 * kernels are slow there, and not all kernels are deterministic.
 */
export const sessionSettings = (device: boolean, whole: boolean): Readonly<Record<string, string>> => ({
  "session.intra_op.allow_spinning": "0",
  "session.set_denormal_as_zero": "1",
  ...(device
    ? {
      "session.disable_cpu_ep_fallback": whole ? "1" : "0",
      "session.use_device_allocator_for_initializers": "1"
    }
    : { "session.use_deterministic_compute": "1" })
})
