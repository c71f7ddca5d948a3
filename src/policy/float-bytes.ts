/** float32 little endian, as weights and gradients travel. Every platform Node runs on is little endian. */

/** Copies the numbers out of a message; the bytes may start anywhere in their buffer. */
export function floatsFromBytes(bytes: Uint8Array): Float32Array {
  // Not slice(): a Buffer's slice shares the pool's memory, and with it the offset.
  return new Float32Array(new Uint8Array(bytes).buffer);
}

/** The numbers as bytes, without a copy: they change with the array. */
export function bytesOfFloats(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
