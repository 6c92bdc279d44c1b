/** Dates as formatted by Python's `strftime`, in English. */

const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December"
]

const padded = (n: number, width = 2): string => String(n).padStart(width, "0")

const parts: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => padded(date.getFullYear(), 4),
  y: (date) => padded(date.getFullYear() % 100),
  m: (date) => padded(date.getMonth() + 1),
  B: (date) => months[date.getMonth()]!,
  b: (date) => months[date.getMonth()]!.slice(0, 3),
  d: (date) => padded(date.getDate()),
  e: (date) => String(date.getDate()).padStart(2),
  A: (date) => days[date.getDay()]!,
  a: (date) => days[date.getDay()]!.slice(0, 3),
  H: (date) => padded(date.getHours()),
  I: (date) => padded(date.getHours() % 12 || 12),
  M: (date) => padded(date.getMinutes()),
  S: (date) => padded(date.getSeconds()),
  p: (date) => date.getHours() < 12 ? "AM" : "PM",
  j: (date) => padded(Math.round((Number(date) - Number(new Date(date.getFullYear(), 0, 1))) / 86_400_000) + 1, 3),
  F: (date) => strftime(date, "%Y-%m-%d"),
  T: (date) => strftime(date, "%H:%M:%S"),
  "%": () => "%"
}

/** Unknown directives are errors. A minus removes leading zeros and blanks. */
export const strftime = (date: Date, format: string): string =>
  format.replaceAll(/%(-?)(.?)/gs, (directive, minus: string, letter: string) => {
    const part = Object.hasOwn(parts, letter) ? parts[letter]!(date) : undefined
    if (part === undefined) throw new Error(`strftime_now: the directive ${directive} is not known`)
    return minus === "" ? part : part.replace(/^[0 ]+(?=.)/, "")
  })
