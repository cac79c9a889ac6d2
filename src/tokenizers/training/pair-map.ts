/** Maps pairs of non-negative 32-bit integers to non-negative 32-bit integers, by open addressing. */
export class PairMap {
  size = 0;
  private slots = 64;
  private lefts = new Int32Array(this.slots).fill(-1);
  private rights = new Int32Array(this.slots);
  private values = new Int32Array(this.slots);

  /** The value of a pair, or −1. */
  get(left: number, right: number): number {
    const slot = this.find(left, right);
    return this.lefts[slot] === -1 ? -1 : this.values[slot]!;
  }

  set(left: number, right: number, value: number): void {
    if (2 * this.size >= this.slots) this.grow();
    const slot = this.find(left, right);
    if (this.lefts[slot] === -1) this.size++;
    this.lefts[slot] = left;
    this.rights[slot] = right;
    this.values[slot] = value;
  }

  /** Slot that holds the pair, or the empty one where it belongs. */
  private find(left: number, right: number): number {
    const mask = this.slots - 1;
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    let slot = (hash ^ (hash >>> 13)) & mask;
    while (this.lefts[slot] !== -1 && (this.lefts[slot] !== left || this.rights[slot] !== right)) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  private grow(): void {
    const { lefts, rights, values } = this;
    this.slots *= 2;
    this.lefts = new Int32Array(this.slots).fill(-1);
    this.rights = new Int32Array(this.slots);
    this.values = new Int32Array(this.slots);
    lefts.forEach((left, i) => {
      if (left === -1) return;
      const slot = this.find(left, rights[i]!);
      this.lefts[slot] = left;
      this.rights[slot] = rights[i]!;
      this.values[slot] = values[i]!;
    });
  }
}
