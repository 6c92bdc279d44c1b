/**
 * A server that speaks the Hub's protocol on this machine: `/api/models/REPO/revision/REVISION`, and
 * `/REPO/resolve/COMMIT/FILE`, which redirects files of Git LFS to another host as the Hub does to its CDN. Faults are
 * asked for by request.
 */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

export type Files = Readonly<Record<string, string | Uint8Array>>

/** A repository of one commit. */
export interface Repo {
  readonly commit: string
  readonly files: Files
  /** Files of Git LFS. */
  readonly large?: ReadonlyArray<string>
  /** Branches and tags beside "main". */
  readonly revisions?: ReadonlyArray<string>
  /** Sizes that the list of files claims, where they are not those of the files. */
  readonly sizes?: Readonly<Record<string, number>>
  /** Who may read it: all, those with the token, or those who accepted its terms. */
  readonly access?: "private" | "gated"
}

/** What a request meets in place of its answer, once: `undefined` for the answer. */
export interface Fault {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** The connection breaks after as many bytes of the body. */
  readonly cut?: number
  /** Nothing comes after as many bytes of the body; -1: no headers either. */
  readonly stall?: number
  /** Other bytes than the file's. */
  readonly bytes?: Uint8Array
  /** The range that was asked for is ignored. */
  readonly whole?: boolean
}

/** A request as the server saw it. */
export interface Seen {
  readonly path: string
  readonly host: "hub" | "cdn"
  readonly range: string | undefined
  readonly token: string | undefined
}

export const TOKEN = "hf_ours"

const bytesOf = (content: string | Uint8Array): Uint8Array =>
  typeof content === "string" ? new TextEncoder().encode(content) : content
export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")
export const gitSha1 = (bytes: Uint8Array): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex")

/** The pointer that Git keeps in place of a large file. */
export const pointer = (bytes: Uint8Array): string =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(bytes)}\nsize ${bytes.length}\n`

const entryOf = ({ large = [], sizes = {} }: Repo, name: string, bytes: Uint8Array) => {
  const lfs = large.includes(name)
  const size = sizes[name] ?? bytes.length
  const blobId = gitSha1(lfs ? bytesOf(pointer(bytes)) : bytes)
  const own = lfs ? { lfs: { sha256: sha256(bytes), size, pointerSize: pointer(bytes).length } } : {}
  return { rfilename: name, size, blobId, ...own }
}

/** The body of a file, as its fault and range have it. */
const sendFile = (request: IncomingMessage, response: ServerResponse, content: Uint8Array, fault: Fault) => {
  const bytes = fault.bytes ?? content
  const [, from = "0"] = fault.whole ? [] : /^bytes=(\d+)-/.exec(request.headers.range ?? "") ?? []
  const [start, ranged] = [Number(from), request.headers.range !== undefined && !fault.whole]
  if (ranged && start >= bytes.length) {
    return response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end()
  }
  const part = bytes.subarray(start)
  const range = ranged ? { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {}
  response.writeHead(ranged ? 206 : 200, { "content-length": part.length, "accept-ranges": "bytes", ...range })
  if (request.method === "HEAD") return response.end()
  const most = fault.cut ?? fault.stall
  if (most === undefined || most >= part.length) return response.end(part)
  return response.write(part.subarray(0, most), () => fault.cut === undefined || response.destroy())
}

export interface Hub {
  readonly endpoint: string
  readonly seen: ReadonlyArray<Seen>
  /** Paths asked for since the last call, without what is alike in all. */
  readonly asked: () => ReadonlyArray<string>
  /** The next requests of paths that end so meet these faults, one each. */
  readonly fail: (end: string, ...faults: ReadonlyArray<Fault>) => void
  /** From now on a repository is this. */
  readonly set: (repo: string, to: Repo) => void
}

const refuse = (response: ServerResponse, status: number, code: string, message: string) =>
  response.writeHead(status, { "x-error-code": code, "x-error-message": message }).end()

/** Whether a request may not see a repository; the refusal is then sent. */
const barred = (repo: Repo, token: string | undefined, response: ServerResponse): boolean => {
  if (token !== undefined && !token.startsWith("hf_")) {
    response.writeHead(401, { "x-error-message": "Invalid credentials in Authorization header" }).end()
    return true
  }
  if (repo.access === "private" && token !== TOKEN) {
    refuse(response, 401, "RepoNotFound", "Repository not found")
    return true
  }
  if (repo.access === "gated" && token !== TOKEN) {
    refuse(
      response,
      token === undefined ? 401 : 403,
      "GatedRepo",
      "Access to this model is restricted. Visit its page."
    )
    return true
  }
  return false
}

/** What the server keeps. */
interface State {
  readonly repos: Map<string, Repo>
  readonly faults: Map<string, Array<Fault>>
  readonly seen: Array<Seen>
  /** What the CDN has been asked to hold, by checksum. */
  readonly blobs: Map<string, Uint8Array>
}

type Entry = ReturnType<typeof entryOf>

/** A revision's files in the form of `/tree/`. */
const treeOf = (entries: ReadonlyArray<Entry>) =>
  entries.map(({ blobId, rfilename, size, ...own }) => ({
    type: "file",
    oid: blobId,
    size,
    path: rfilename,
    ..."lfs" in own ? { lfs: { oid: own.lfs.sha256, size, pointerSize: own.lfs.pointerSize } } : {}
  }))

const json = (response: ServerResponse, value: unknown) =>
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value))

/** A file as the Hub answers for it: itself, or the way to the CDN. */
const resolve = (
  { blobs }: State,
  port: number,
  { commit, files }: Repo,
  entry: Entry,
  fault: Fault,
  ...[request, response]: readonly [IncomingMessage, ServerResponse]
) => {
  const content = bytesOf(files[entry.rfilename]!)
  response.setHeader("x-repo-commit", commit)
  response.setHeader("etag", `"${entry.blobId}"`)
  if (!("lfs" in entry)) return sendFile(request, response, content, fault)
  const { sha256 } = entry.lfs
  blobs.set(`cdn/${sha256}`, content)
  const location = `http://localhost:${port}/cdn/${sha256}?signature=secret`
  return response.writeHead(302, { location, "x-linked-etag": `"${sha256}"`, "x-linked-size": entry.size }).end()
}

/** The Hub's answer to a request that meets no fault. */
const answer = (
  state: State,
  port: number,
  path: string,
  fault: Fault,
  ...[request, response]: readonly [IncomingMessage, ServerResponse]
) => {
  const [, name = "", what = "", rest = ""] =
    /^(?:api\/models\/)?([^/]+\/[^/]+)\/(revision|tree|resolve)\/(.*)$/.exec(path) ?? []
  const repo = state.repos.get(name)
  if (repo === undefined) return refuse(response, 401, "RepoNotFound", "Repository not found")
  if (barred(repo, tokenOf(request), response)) return response
  const known = [repo.commit, "main", ...repo.revisions ?? []]
  const revision = known.find((one) => rest === one || rest.startsWith(`${one}/`))
  if (revision === undefined) return refuse(response, 404, "RevisionNotFound", `Invalid rev id: ${rest}`)
  const entries = Object.entries(repo.files).map(([file, own]) => entryOf(repo, file, bytesOf(own)))
  if (what === "tree") return json(response, treeOf(entries))
  if (what === "revision") return json(response, { id: name, sha: repo.commit, private: false, siblings: entries })
  const entry = entries.find(({ rfilename }) => rfilename === rest.slice(revision.length + 1))
  return entry === undefined
    ? refuse(response, 404, "EntryNotFound", "Entry not found")
    : resolve(state, port, repo, entry, fault, request, response)
}

const tokenOf = ({ headers }: IncomingMessage): string | undefined => headers.authorization?.replace("Bearer ", "")

const listening = (repos: Readonly<Record<string, Repo>>) =>
  new Promise<Hub & { readonly close: () => void }>((done) => {
    const state: State = { repos: new Map(Object.entries(repos)), faults: new Map(), seen: [], blobs: new Map() }
    const { faults, seen } = state
    let asked = 0
    const server = createServer((request, response) => {
      const { port } = server.address() as AddressInfo
      const path = decodeURIComponent(request.url!.split("?")[0]!.slice(1))
      const host = request.headers.host!.startsWith("localhost") ? "cdn" : "hub"
      seen.push({ path, host, range: request.headers.range, token: tokenOf(request) })
      const fault = [...faults].find(([end]) => path.endsWith(end))?.[1].shift() ?? {}
      if (fault.stall === -1) return
      if (fault.status !== undefined) response.writeHead(fault.status, fault.headers).end()
      else if (host === "cdn") sendFile(request, response, state.blobs.get(path)!, fault)
      else answer(state, port, path, fault, request, response)
    })
    server.listen(0, () =>
      done({
        endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        seen,
        asked: () => {
          const before = asked
          asked = seen.length
          return seen.slice(before).map(({ path }) => path)
        },
        fail: (end, ...own) => void faults.set(end, [...own]),
        set: (repo, to) => void state.repos.set(repo, to),
        close: () => {
          server.closeAllConnections()
          server.close()
        }
      }))
  })

/** Starts the server, until the scope ends. */
export const start = (repos: Readonly<Record<string, Repo>>) =>
  Effect.acquireRelease(Effect.promise(() => listening(repos)), ({ close }) => Effect.sync(close))
