/** Host arrays whose values a device keeps between runs. */
import type { Data, Kept, Region } from "../Session.ts"
import type { Address, Api } from "./api.ts"
import type { DeviceMemory, Rows } from "./memory.ts"

/** A type and shape as ONNX Runtime takes them. */
export interface Form {
  /** ONNX's code of the element type. */
  readonly type: number
  readonly dims: BigInt64Array
  readonly rank: number
  /** Equal for equal forms. */
  readonly key: string
}

/** The form of a tensor. */
export const form = (type: number, shape: ReadonlyArray<number>): Form => ({
  type,
  dims: BigInt64Array.from([...shape, 0], BigInt),
  rank: shape.length,
  key: `${type}:${shape.join()}`
})

/** A tensor over memory that is not its own. */
const tensorOver = (api: Api, info: Address, at: Address, bytes: number, { dims, rank, type }: Form): Address =>
  api.made("CreateTensorWithDataAsOrtValue", info, at, bytes, dims, rank, type)

/** A block of device memory, and tensors over it. */
class Block {
  readonly at: Address
  private readonly tensors = new Map<string, Address>()
  private users = 0
  private retired = false
  private readonly api: Api
  private readonly memory: DeviceMemory
  private readonly bytes: number

  constructor(api: Api, memory: DeviceMemory, bytes: number) {
    this.api = api
    this.memory = memory
    this.bytes = bytes
    this.at = memory.allocate(bytes)
  }
  get idle(): boolean {
    return this.users === 0
  }
  /** A tensor of a form; `then` is called at the end of the run that it is for. */
  lend(array: Data, form: Form, then: (succeeded: boolean) => void): Lent {
    const tensor = this.tensors.get(form.key) ?? tensorOver(this.api, this.memory.info, this.at, this.bytes, form)
    this.tensors.set(form.key, tensor)
    this.users++
    const done = (succeeded: boolean) => {
      this.users--
      then(succeeded)
      if (this.retired) this.retire()
    }
    return { tensor, array, done }
  }
  /** Frees the memory once no run uses it. */
  retire(): void {
    this.retired = true
    if (this.users > 0) return
    for (const tensor of this.tensors.values()) this.api.release("ReleaseValue", tensor)
    this.memory.free(this.at)
  }
}

/** Where the newest values of a kept array are. */
interface Held {
  readonly bytes: number
  block: Block | undefined
  /** A second block, for results of programs that read the first. */
  spare: Block | undefined
  /** What is newer on the host. */
  host: Array<Rows>
  /** Whether the device has values that the host has not. */
  device: boolean
}

/** A tensor for a run; `done` is to be called when it has ended. */
export interface Lent {
  readonly tensor: Address
  readonly array: Data
  readonly done: (succeeded: boolean) => void
}

const whole = (bytes: number): Rows => ({ start: 0, length: bytes, stride: bytes, count: 1 })

/** The arrays that a device keeps, and tensors for runs. Memory is freed with its array, or at the end. */
export class DeviceArrays implements Kept {
  private readonly held = new WeakMap<Data, Held>()
  private readonly all = new Set<Held>()
  private readonly api: Api
  private readonly host: Address
  private readonly memory: DeviceMemory
  private readonly gone = new FinalizationRegistry<Held>((held) => this.forget(held))

  constructor(api: Api, host: Address, memory: DeviceMemory) {
    this.api = api
    this.host = host
    this.memory = memory
  }
  keep(arrays: Iterable<Data>): void {
    for (const array of arrays) {
      if (this.held.has(array) || array.length === 0) continue
      const bytes = array.byteLength
      const held: Held = { bytes, block: undefined, spare: undefined, host: [whole(bytes)], device: false }
      this.held.set(array, held)
      this.all.add(held)
      this.gone.register(array, held, array)
    }
  }
  read(arrays: Iterable<Data>): void {
    for (const array of arrays) {
      const held = this.held.get(array)
      if (!held?.device) continue
      this.memory.download(this.api.addressOf(array), held.block!.at, held.bytes)
      held.device = false
    }
  }
  wrote(array: Data, region?: Region): void {
    const held = this.held.get(array)
    if (!held) return
    if (!region) {
      held.device = false
      held.host = [whole(held.bytes)]
      return
    }
    if (held.device) throw new Error("a part is written on the host while the device has newer values")
    if (held.host[0]?.length === held.bytes) return
    const { BYTES_PER_ELEMENT: size } = array
    const { count, length, start, stride } = region
    held.host.push({ start: start * size, length: length * size, stride: stride * size, count })
  }
  release(arrays: Iterable<Data>): void {
    for (const array of arrays) {
      const held = this.held.get(array)
      if (!held) continue
      this.held.delete(array)
      this.gone.unregister(array)
      this.forget(held)
    }
  }
  /** A tensor to read an array from. */
  input(array: Data, form: Form): Lent {
    const held = this.held.get(array)
    if (!held) return this.onHost(array, form)
    const { at } = held.block ??= this.block(held)
    if (held.host.length > 0) {
      const from = this.api.addressOf(array)
      for (const rows of held.host) this.memory.upload(at, from, rows)
      held.host = []
    }
    return held.block.lend(array, form, () => {})
  }
  /** A tensor to write an array to; `read` says whether the same run reads the array. */
  output(array: Data, form: Form, read: boolean): Lent {
    const held = this.held.get(array)
    if (!held) return this.onHost(array, form)
    const over = !read && (held.block?.idle ?? true)
    if (!over && held.spare && !held.spare.idle) {
      held.spare.retire()
      held.spare = undefined
    }
    const block = over ? held.block ??= this.block(held) : held.spare ??= this.block(held)
    return block.lend(array, form, (succeeded) => {
      if (!succeeded) return
      if (!over) [held.block, held.spare] = [block, held.block]
      held.host = []
      held.device = true
    })
  }
  /** Waits until what was copied has arrived. */
  settle(): void {
    this.memory.settle()
  }
  /** Frees all memory on the device. */
  close(): void {
    for (const held of this.all) this.forget(held)
  }

  private block({ bytes }: Held): Block {
    return new Block(this.api, this.memory, bytes)
  }
  private onHost(array: Data, form: Form): Lent {
    const tensor = tensorOver(this.api, this.host, this.api.addressOf(array), array.byteLength, form)
    return { tensor, array, done: () => this.api.release("ReleaseValue", tensor) }
  }
  private forget(held: Held): void {
    if (!this.all.delete(held)) return
    for (const block of [held.block, held.spare]) block?.retire()
  }
}
