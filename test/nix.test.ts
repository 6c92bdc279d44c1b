import { assert, describe, it } from "@effect/vitest"
import { execFile, spawnSync } from "node:child_process"
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

const hasNix = spawnSync("nix", ["--version"]).status === 0
const files = ["flake.nix", "flake.lock", "package-lock.json", "nix"]

const inFolder = async <A>(use: (folder: string) => Promise<A>): Promise<A> => {
  const folder = mkdtempSync(join(tmpdir(), "anamnesis-nix-"))
  try {
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const run = (command: string, args: ReadonlyArray<string>, options: { cwd: string; env?: NodeJS.ProcessEnv }) =>
  new Promise<{ readonly failed: boolean; readonly output: string }>((resolve) =>
    execFile(
      command,
      args,
      options,
      (error, stdout, stderr) => resolve({ failed: error !== null, output: stdout + stderr })
    )
  )

/** What nix/check.sh says of the flake, with the texts of some of its files replaced. */
const check = (change: Readonly<Record<string, readonly [from: string, to: string]>> = {}) =>
  inFolder((cwd) => {
    for (const file of files) cpSync(file, join(cwd, file), { recursive: true })
    for (const [file, [from, to]] of Object.entries(change)) {
      const text = readFileSync(join(cwd, file), "utf8")
      assert.include(text, from, file)
      writeFileSync(join(cwd, file), text.replace(from, to))
    }
    return run(join(cwd, "nix/check.sh"), [], { cwd })
  })

const binding = (JSON.parse(readFileSync("package-lock.json", "utf8")) as {
  readonly packages: Readonly<Record<string, { readonly version: string }>>
}).packages["node_modules/onnxruntime-node"]!.version

const faults: ReadonlyArray<readonly [name: string, change: Parameters<typeof check>[0], complaint: RegExp]> = [
  ["a package's name misspelt", { "nix/tools.nix": ["pkgs.nodejs_24", "pkgs.nodejs_42"] }, /nodejs_42/],
  ["a CUDA package's name misspelt", { "nix/ort-gpu.nix": ["cudaPackages.libcufft", "cudaPackages.cufft"] }, /cufft/],
  ["a binding of another version", {
    "package-lock.json": [
      `"node_modules/onnxruntime-node": {\n      "version": "${binding}"`,
      `"node_modules/onnxruntime-node": {\n      "version": "1.99.0"`
    ]
  }, /pins ONNX Runtime .*onnxruntime-node 1\.99\.0/],
  ["an archive of another version", {
    "nix/ort-gpu.json": [`/download/v${binding}/`, "/download/v1.29.0/"]
  }, /archive for CUDA 12 is not of version/],
  ["a lock of another branch", { "flake.nix": ["nixos-26.05", "nixos-25.11"] }, /flake\.lock is stale/],
  ["a lock that lacks an input", {
    "flake.nix": ["inputs.nixpkgs.url", "inputs.more.url = \"github:a/b/c\";\n  inputs.nixpkgs.url"]
  }, /flake\.lock is stale/],
  ["a lock without hash", { "flake.lock": ["sha256-", "md5-"] }, /no revision or no hash/],
  [
    "CUDA packages that nixpkgs would call broken",
    { "flake.nix": ["cudaSupport = true", "cudaSupport = false"] },
    /broken/
  ],
  ["a licence that nixpkgs would refuse", { "flake.nix": ["\"cuDNN EULA\"", ""] }, /cudnn is unfree/],
  ["a shell hook that bash cannot read", { "nix/driver-hook.sh": ["done", "don"] }, /syntax error/],
  ["a shell without libstdc++", { "nix/tools.nix": ["isLinux ''", "(!isLinux) ''"] }, /the hook leaves/]
]

describe.skipIf(!hasNix)("the flake, offline (skipped where nix is not installed)", () => {
  it("is sound", async () => {
    const { failed, output } = await check()
    assert.isFalse(failed, output)
    for (const shell of ["default", "cuda", "cuda12"]) assert.include(output, `x86_64-linux/${shell}: the hook sets`)
  }, 120_000)
  it.each(faults)("is not sound with %s", async (_, change, complaint) => {
    const { failed, output } = await check(change)
    assert.isTrue(failed, output)
    assert.match(output, complaint)
  }, 120_000)
})

/** A script that Nix would make of tools.nix, with the Node and the shell of this machine. */
const scriptShell = () =>
  "#!/bin/bash\n" + /"npm-script-shell" ''\n(.*?)'';/s.exec(readFileSync("nix/tools.nix", "utf8"))![1]!
    .replace("${node}/bin", dirname(process.execPath)).replace("${pkgs.runtimeShell}", "/bin/bash")

describe.skipIf(process.platform !== "linux")("a shell of the flake (skipped off Linux)", () => {
  it(
    "has npm scripts run its own Node, not the one in node_modules that cannot run there",
    () =>
      inFolder(async (cwd) => {
        mkdirSync(join(cwd, "node_modules/.bin"), { recursive: true })
        writeFileSync(join(cwd, "node_modules/.bin/node"), "#!/bin/sh\necho the wrong Node\n")
        chmodSync(join(cwd, "node_modules/.bin/node"), 0o755)
        writeFileSync(join(cwd, "package.json"), JSON.stringify({ scripts: { which: "node --version" } }))
        writeFileSync(join(cwd, "shell"), scriptShell())
        chmodSync(join(cwd, "shell"), 0o755)
        const ask = (env: NodeJS.ProcessEnv) =>
          run("npm", ["run", "--silent", "which"], { cwd, env: { ...process.env, ...env } })
        assert.include((await ask({ npm_config_script_shell: "/bin/bash" })).output, "the wrong Node")
        assert.include((await ask({ npm_config_script_shell: join(cwd, "shell") })).output, process.version)
      }),
    60_000
  )

  it.skipIf(existsSync("/run/opengl-driver/lib/libcuda.so.1"))(
    "sees the host's driver and nothing else of it",
    () =>
      inFolder(async (cwd) => {
        const host = join(cwd, "lib")
        mkdirSync(host)
        for (const name of ["libcuda.so.1", "libnvidia-ml.so.1", "libc.so.6", "libstdc++.so.6"]) {
          writeFileSync(join(host, name), "")
        }
        const hook = `. ${
          join(process.cwd(), "nix/driver-hook.sh")
        }; echo "$LD_LIBRARY_PATH"; ls "\${LD_LIBRARY_PATH%%:*}"`
        const env = { PATH: process.env["PATH"], HOME: cwd, NVIDIA_LIB_DIR: host, LD_LIBRARY_PATH: "/before" }
        const { output } = await run("bash", ["--norc", "-euc", hook], { cwd, env })
        assert.deepStrictEqual(output.trim().split("\n"), [
          `${cwd}/.cache/anamnesis/nvidia-driver:/before`,
          "libcuda.so.1",
          "libnvidia-ml.so.1"
        ])
      })
  )
})
