/** The modes of the system, side by side. */
import * as Layer from "effect/Layer"
import * as reader from "../../runtime/language/reader.ts"
import * as bm25 from "../../runtime/retrieval/bm25.ts"
import * as retriever from "../../runtime/retrieval/retriever.ts"

/** Both learn. */
export const joint = Layer.mergeAll(retriever.trainable, reader.trainable)
/** The retriever is given, the reader learns to use it. */
export const frozenRag = Layer.mergeAll(retriever.frozen, reader.trainable)
/** The same with lexical retrieval. */
export const bm25Rag = Layer.mergeAll(bm25.layer, retriever.learnsNothing, reader.trainable)
/** Fine-tuning only: the reader learns without passages. */
export const noRetrieval = Layer.mergeAll(retriever.absent, reader.trainable)
/** The retriever alone learns, from gold passages. */
export const retrieverOnly = Layer.mergeAll(retriever.trainable, reader.absent)
/** Neither can learn, and a pipeline that tries does not typecheck. */
export const inference = Layer.mergeAll(retriever.readOnly, reader.readOnly)
/** The reader alone, without passages. */
export const closedBook = Layer.mergeAll(retriever.absent, reader.readOnly)
