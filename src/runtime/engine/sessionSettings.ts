/** ONNX Runtime's settings of a session by key, the same whichever of its interfaces creates it. */

/** Microseconds for which a thread waits awake before it sleeps. */
export const SPIN = 100

/**
 * Threads wait awake for `spin` microseconds, then sleep: waking one takes as long as a small operation. Without a limit
 * they would spin while other programs and processes run, at half the speed of these.
 *
 * On a device, a `whole` program has no node on the host, and fails if it would have one. ONNX Runtime's deterministic
 * kernels are slow there, and not all kernels are deterministic.
 */
export const sessionSettings = (
  device: boolean,
  whole: boolean,
  spin: number = SPIN
): Readonly<Record<string, string>> => ({
  "session.intra_op.allow_spinning": spin > 0 ? "1" : "0",
  ...(spin > 0 ? { "session.intra_op.spin_duration_us": String(spin) } : {}),
  "session.set_denormal_as_zero": "1",
  ...(device
    ? {
      "session.disable_cpu_ep_fallback": whole ? "1" : "0",
      "session.use_device_allocator_for_initializers": "1"
    }
    : { "session.use_deterministic_compute": "1" })
})
