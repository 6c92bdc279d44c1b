/** Parquet files for tests, with pictures in them as Hugging Face writes them. */
import { parquetWriteBuffer } from "hyparquet-writer"

/** A row with a picture, and texts. */
export interface PictureRow {
  readonly image: { readonly bytes: Uint8Array | null; readonly path: string | null }
  readonly [column: string]: string | PictureRow["image"]
}

/** A file of such rows, all of the same columns: `image` is a structure of bytes that are no text, and a path. */
export const picturesParquet = (rows: ReadonlyArray<PictureRow>): Uint8Array => {
  const texts = Object.keys(rows[0]!).filter((name) => name !== "image")
  return new Uint8Array(parquetWriteBuffer({
    columnData: ["image", ...texts].map((name) => ({ name, data: rows.map((row) => row[name]) as Array<any> })),
    schema: [
      { name: "root", num_children: texts.length + 1 },
      { name: "image", num_children: 2, repetition_type: "OPTIONAL" },
      { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
      { name: "path", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
      ...texts.map((name) => ({
        name,
        type: "BYTE_ARRAY" as const,
        converted_type: "UTF8" as const,
        repetition_type: "OPTIONAL" as const
      }))
    ]
  }))
}
