/** A growing list of ids. */
export class IdBuffer {
  length = 0;
  private data = new Int32Array(1024);

  push(id: number): void {
    if (this.length === this.data.length) this.reserve(1);
    this.data[this.length++] = id;
  }

  append(ids: Int32Array): void {
    if (this.length + ids.length > this.data.length) this.reserve(ids.length);
    // For a handful of ids a loop is faster than set().
    if (ids.length > 16) this.data.set(ids, this.length);
    else for (let i = 0; i < ids.length; i++) this.data[this.length + i] = ids[i]!;
    this.length += ids.length;
  }

  toArray(): Int32Array {
    return this.data.slice(0, this.length);
  }

  private reserve(extra: number): void {
    const data = new Int32Array(Math.max(2 * this.data.length, this.length + extra));
    data.set(this.data);
    this.data = data;
  }
}
