/** Every operation. A new op is one value in its file and one name here. */
import type { Op } from "../Tensor.ts"
import * as attend from "./attend.ts"
import * as broadcast from "./broadcast.ts"
import * as contract from "./contract.ts"
import * as elementwise from "./elementwise.ts"
import * as gather from "./gather.ts"
import * as iota from "./iota.ts"
import * as normalise from "./normalise.ts"
import * as position from "./position.ts"
import * as quantised from "./quantised.ts"
import * as random from "./random.ts"
import * as order from "./scheduling.ts"
import * as select from "./select.ts"
import * as stop from "./stop.ts"
import * as widen from "./widen.ts"

const isOp = (value: unknown): value is Op<any> => typeof value === "object" && value !== null && "vjp" in value

/** All operations, in no particular order. */
export const all: ReadonlyArray<Op<any>> = [
  broadcast,
  elementwise,
  contract,
  select,
  gather,
  normalise,
  attend,
  position,
  order,
  iota,
  random,
  quantised,
  widen,
  stop
].flatMap((file) => Object.values<unknown>(file).filter(isOp))
