/** What a split divides, and what it gives to the parts of a dataset. */

/** Parts that a dataset may have, in the order in which a token file holds them. */
export const partNames = ['train', 'heldOut', 'test', 'outOfDistribution'] as const;
export type PartName = (typeof partNames)[number];

/** What is known of a document besides its text. */
export interface DocumentMarks {
  /** Its class, from 0, where the data has classes. */
  readonly label?: number | undefined;
  /** What it belongs to, such as a family or an organism. */
  readonly group?: string | undefined;
}

/** A document of a dataset. */
export interface DatasetDocument extends DocumentMarks {
  /** For messages; a path, for a file. */
  readonly name: string;
  /** Name within the data, such as a title or an accession. */
  readonly id?: string | undefined;
  /** The part that the data itself puts it in. */
  readonly part?: PartName | undefined;
  /** The text in chunks that end between characters, from the start at every call; it need not fit in memory. */
  read(): Iterable<string> | AsyncIterable<string>;
}

/** What a document gives to a part. */
export interface DocumentPiece extends DocumentMarks {
  readonly part: PartName;
  /** Whether the document's own end is in it; false where the split cuts the document. */
  readonly endsDocument: boolean;
  /** The text, once. */
  read(): Iterable<string> | AsyncIterable<string>;
}
