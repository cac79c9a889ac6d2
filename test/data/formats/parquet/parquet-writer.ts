/** How pages are compressed: the codec's number, and what it makes of their values. */
export interface PageCompression {
  /** Default: 0, uncompressed. */
  readonly codec?: number;
  readonly compress?: (values: Buffer) => Buffer;
  /** What a page states that it has. Default: what it has. */
  readonly statedSize?: number;
  /** Default: one page a group. */
  readonly rowsPerPage?: number;
}

/** A Parquet file of one required column of strings: plain encoding, `rowsPerGroup` rows a group, by default uncompressed. */
export function parquetFile(
  column: string,
  texts: readonly string[],
  rowsPerGroup: number,
  { codec = 0, compress = (values) => values, statedSize, rowsPerPage = rowsPerGroup }: PageCompression = {},
): Uint8Array {
  const parts: Buffer[] = [Buffer.from('PAR1')];
  let size = 4;
  const groups: Buffer[] = [];
  for (let start = 0; start < texts.length; start += rowsPerGroup) {
    const rows = texts.slice(start, start + rowsPerGroup);
    const stored: Buffer[] = [];
    for (let at = 0; at < rows.length; at += rowsPerPage) {
      const inPage = rows.slice(at, at + rowsPerPage);
      const values = Buffer.concat(inPage.flatMap((text) => [uint32(Buffer.byteLength(text)), Buffer.from(text)]));
      const bytes = compress(values);
      const page = struct([
        [1, i32(0)],
        [2, i32(statedSize ?? values.length)],
        [3, i32(bytes.length)],
        [
          5,
          {
            type: 12,
            bytes: struct([
              [1, i32(inPage.length)],
              [2, i32(0)],
              [3, i32(3)],
              [4, i32(3)],
            ]),
          },
        ],
      ]);
      stored.push(page, bytes);
    }
    const chunkBytes = Buffer.concat(stored);
    const length = chunkBytes.length;
    const metadata = struct([
      [1, i32(6)],
      [2, list(5, [zigzag(0)])],
      [3, list(8, [string(column)])],
      [4, i32(codec)],
      [5, i64(rows.length)],
      [6, i64(length)],
      [7, i64(length)],
      [9, i64(size)],
    ]);
    const chunk = struct([
      [2, i64(size)],
      [3, { type: 12, bytes: metadata }],
    ]);
    groups.push(
      struct([
        [1, list(12, [chunk])],
        [2, i64(length)],
        [3, i64(rows.length)],
      ]),
    );
    parts.push(chunkBytes);
    size += length;
  }
  const root = struct([
    [4, binary('schema')],
    [5, i32(1)],
  ]);
  const element = struct([
    [1, i32(6)],
    [3, i32(0)],
    [4, binary(column)],
    [6, i32(0)],
  ]);
  const footer = struct([
    [1, i32(1)],
    [2, list(12, [root, element])],
    [3, i64(texts.length)],
    [4, list(12, groups)],
  ]);
  return Buffer.concat([...parts, footer, uint32(footer.length), Buffer.from('PAR1')]);
}

// Thrift's compact protocol.
interface Value {
  readonly type: number;
  readonly bytes: Buffer;
}

function struct(fields: readonly (readonly [id: number, value: Value])[]): Buffer {
  let last = 0;
  const parts = fields.map(([id, { type, bytes }]) => {
    const header = Buffer.from([((id - last) << 4) | type]);
    last = id;
    return Buffer.concat([header, bytes]);
  });
  return Buffer.concat([...parts, Buffer.from([0])]);
}

function list(type: number, items: readonly Buffer[]): Value {
  const header =
    items.length < 15
      ? [Buffer.from([(items.length << 4) | type])]
      : [Buffer.from([0xf0 | type]), varint(items.length)];
  return { type: 9, bytes: Buffer.concat([...header, ...items]) };
}

const i32 = (value: number): Value => ({ type: 5, bytes: zigzag(value) });
const i64 = (value: number): Value => ({ type: 6, bytes: zigzag(value) });
const binary = (text: string): Value => ({ type: 8, bytes: string(text) });
const string = (text: string) => Buffer.concat([varint(Buffer.byteLength(text)), Buffer.from(text)]);
const zigzag = (value: number) => varint(2 * value);

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...bytes, left]);
    bytes.push((left % 128) | 128);
  }
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}
