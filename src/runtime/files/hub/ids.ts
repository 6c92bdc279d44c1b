/** Names of models at the Hugging Face Hub: `organisation/name`, or `organisation/name@revision`. */

/** A model at the Hub, at a branch, a tag or a commit. */
export interface ModelId {
  /** `organisation/name`. */
  readonly repo: string
  readonly revision: string
}

/** The revision that a name without one stands for. */
const MAIN = "main"

const isPart = (text: string): boolean => /^\w(?:[\w.-]{0,94}\w)?$/.test(text) && !/--|\.\.|\.git$/.test(text)
const isRevision = (text: string): boolean => /^\w[\w./+-]*$/.test(text) && !/\.\.|\/\/|[./]$|\/\./.test(text)

/** The id that a text has the form of; `undefined` for all others, such as paths with a leading dot or two slashes. */
export const parse = (text: string): ModelId | undefined => {
  const at = text.indexOf("@")
  const [repo, revision] = at < 0 ? [text, MAIN] : [text.slice(0, at), text.slice(at + 1)]
  const parts = repo.split("/")
  return parts.length === 2 && parts.every(isPart) && isRevision(revision) ? { repo, revision } : undefined
}

/** The id as a text that `parse` reads. */
export const show = ({ repo, revision }: ModelId): string => revision === MAIN ? repo : `${repo}@${revision}`

/** Whether a text is an id with its commit, of the model that `name` stands for at some commit. */
export const isPinned = (text: string, name: string): boolean => {
  const [pin, id] = [parse(text), parse(name)]
  return pin !== undefined && id !== undefined && isCommit(pin.revision) && !isCommit(id.revision) &&
    pin.repo === id.repo
}

/** Whether a revision is a commit's full hash, whose files never change. */
export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision)
