/** What packing.py packed. */

interface ArrayHeader {
  dtype: Dtype;
  count: number;
  /** Of arrays that are kept as decimal codes. */
  exponent?: number;
  digits?: 2 | 3;
  /** Of bytes that are kept as the difference to the one so many places before. */
  stride?: number;
}

const TYPES = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array, float64: Float64Array };
type Dtype = keyof typeof TYPES;

// A code's room for mantissas, of as many digits.
const ROOM = { 2: 1 << 8, 3: 1 << 10 };
const NEGATIVE = 1 << 15;
// What packing.py writes for NUL, carriage return and "<".
const FIRST_STAND_IN = "À".charCodeAt(0);
const STAND_INS = [0, 13, 60];

/** Values whose first bytes all come first, then the second ones. */
function joined(bytes: Uint8Array, size: number): ArrayBuffer {
  const count = bytes.length / size;
  const values = new Uint8Array(bytes.length);
  for (let part = 0; part < size; part += 1) {
    for (let i = 0; i < count; i += 1) values[i * size + part] = bytes[part * count + i]!;
  }
  return values.buffer;
}

/** The numbers that decimal codes stand for. */
export function decimals(codes: Uint16Array, exponent: number, digits: 2 | 3): Float32Array {
  const [room, least] = [ROOM[digits], 10 ** (digits - 1)];
  return Float32Array.from(codes, (code) => {
    const size = code % NEGATIVE;
    if (size === 0) return 0;
    const [mantissa, above] = [least - 1 + (size % room), Math.floor(size / room)];
    return Number(`${code < NEGATIVE ? "" : "-"}${mantissa}e${exponent + above}`);
  });
}

/** Bytes of which each was kept as the difference to the one `stride` places before. */
export function summed(differences: Uint8Array, stride: number): Uint8Array {
  const bytes = differences.slice();
  for (let i = stride; i < bytes.length; i += 1) bytes[i] = bytes[i]! + bytes[i - stride]!;
  return bytes;
}

/** Splits an unpacked blob into what is told and its arrays, which are made when they are first asked for. */
export function read<Told extends { arrays: ArrayHeader[] }>(blob: Uint8Array) {
  const length = new DataView(blob.buffer, blob.byteOffset).getUint32(0, true);
  const told = JSON.parse(new TextDecoder().decode(blob.subarray(4, 4 + length))) as Told;
  let end = 4 + length;
  const places = told.arrays.map(({ dtype, count, exponent, digits, stride }) => {
    const size = exponent === undefined ? TYPES[dtype].BYTES_PER_ELEMENT : 2;
    const start = end;
    end += count * size;
    return { bytes: blob.subarray(start, end), size, exponent, digits, stride };
  });
  const piece = (index: number): Uint8Array => {
    const { bytes, size, exponent, digits, stride } = places[index]!;
    if (size === 1) return stride === undefined ? bytes : summed(bytes, stride);
    const buffer = joined(bytes, size);
    return new Uint8Array(
      exponent === undefined ? buffer : decimals(new Uint16Array(buffer), exponent, digits ?? 3).buffer,
    );
  };
  const whole = (parts: readonly number[]): ArrayBuffer => {
    const pieces = parts.map(piece);
    const all = new Uint8Array(pieces.reduce((sum, { length: own }) => sum + own, 0));
    let at = 0;
    for (const own of pieces) {
      all.set(own, at);
      at += own.length;
    }
    return all.buffer;
  };
  return { told, whole };
}

/** The bytes behind text of seven bits a letter. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.floor((text.length * 7) / 8));
  let [held, bits, end] = [0, 0, 0];
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    held = (held << 7) | (code < 128 ? code : (STAND_INS[code - FIRST_STAND_IN] ?? Number.NaN));
    bits += 7;
    if (bits < 8) continue;
    bits -= 8;
    bytes[end] = held >> bits;
    end += 1;
    held &= (1 << bits) - 1;
  }
  return bytes;
}

export async function unpacked(text: string): Promise<Uint8Array> {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
