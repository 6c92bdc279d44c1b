/** Names that templates may use: those of Jinja, and those supported here with Python's exact semantics. */

import type { Kind } from "./values.ts"

/** Filters and tests of Jinja; other names are errors wherever they occur. */
export const filters: ReadonlySet<string> = new Set([
  "abs",
  "attr",
  "batch",
  "capitalize",
  "center",
  "count",
  "d",
  "default",
  "dictsort",
  "e",
  "escape",
  "filesizeformat",
  "first",
  "float",
  "forceescape",
  "format",
  "groupby",
  "indent",
  "int",
  "items",
  "join",
  "last",
  "length",
  "list",
  "lower",
  "map",
  "max",
  "min",
  "pprint",
  "random",
  "reject",
  "rejectattr",
  "replace",
  "reverse",
  "round",
  "safe",
  "select",
  "selectattr",
  "slice",
  "sort",
  "string",
  "striptags",
  "sum",
  "title",
  "tojson",
  "trim",
  "truncate",
  "unique",
  "upper",
  "urlencode",
  "urlize",
  "wordcount",
  "wordwrap",
  "xmlattr"
])
export const tests: ReadonlySet<string> = new Set([
  "boolean",
  "callable",
  "defined",
  "divisibleby",
  "eq",
  "equalto",
  "escaped",
  "even",
  "false",
  "filter",
  "float",
  "ge",
  "gt",
  "greaterthan",
  "in",
  "integer",
  "iterable",
  "le",
  "lessthan",
  "lower",
  "lt",
  "mapping",
  "ne",
  "none",
  "number",
  "odd",
  "sameas",
  "sequence",
  "string",
  "test",
  "true",
  "undefined",
  "upper"
])

/** Globals and names of Jinja that are not variables of the template. */
export const globals: ReadonlySet<string> = new Set([
  "caller",
  "context",
  "cycler",
  "dict",
  "environment",
  "joiner",
  "kwargs",
  "lipsum",
  "self",
  "super",
  "varargs"
])

/** Loop attributes that are not supported here. */
export const ofLoops: ReadonlySet<string> = new Set(["changed", "cycle", "depth", "depth0"])

/** Signature of a method: minimum number of arguments, and the types of each. */
export interface Signature {
  readonly least: number
  readonly kinds: ReadonlyArray<ReadonlyArray<Kind>>
}
const takes = (least: number, ...kinds: ReadonlyArray<ReadonlyArray<Kind>>): Signature => ({ least, kinds })
const any: ReadonlyArray<Kind> = ["flag", "int", "list", "map", "none", "text", "undefined"]

export const ofStrings: Readonly<Record<string, Signature>> = {
  capitalize: takes(0),
  endswith: takes(1, ["text"]),
  lower: takes(0),
  lstrip: takes(0, ["text"]),
  replace: takes(2, ["text"], ["text"], ["int"]),
  rstrip: takes(0, ["text"]),
  split: takes(0, ["text", "none"], ["int"]),
  startswith: takes(1, ["text"]),
  strip: takes(0, ["text"]),
  title: takes(0),
  upper: takes(0)
}
export const ofMaps: Readonly<Record<string, Signature>> = {
  get: takes(1, ["text"], any),
  items: takes(0),
  keys: takes(0),
  values: takes(0)
}

/** Other attributes of Python's strings and mappings; any name not listed is undefined. */
export const others: Readonly<Record<"text" | "map", ReadonlySet<string>>> = {
  text: new Set([
    "casefold",
    "center",
    "count",
    "encode",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "splitlines",
    "swapcase",
    "translate",
    "zfill"
  ]),
  map: new Set(["clear", "copy", "fromkeys", "pop", "popitem", "setdefault", "update"])
}
