/**
 * A running 64-bit hash of texts and numbers (two FNV-1a streams with different offsets). It tells one run from another; it is no
 * protection against anybody.
 */
export class EventHash {
  #a = 0x811c9dc5;
  #b = 0x9e3779b9;
  readonly #number = new DataView(new ArrayBuffer(8));

  add(value: string | number): void {
    if (typeof value === 'number') {
      this.#number.setFloat64(0, value);
      for (let i = 0; i < 8; i += 1) this.#mix(this.#number.getUint8(i));
    } else {
      for (let i = 0; i < value.length; i += 1) this.#mix(value.charCodeAt(i));
      this.#mix(0x1ff);
    }
  }

  /** 16 hex digits. */
  digest(): string {
    return [this.#a, this.#b].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  #mix(unit: number): void {
    this.#a = Math.imul(this.#a ^ unit, 0x01000193);
    this.#b = Math.imul((this.#b << 5) ^ (this.#b >>> 27) ^ unit, 0x85ebca6b);
  }
}
