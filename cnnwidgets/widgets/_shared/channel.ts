/**
 * Bulk data from Python: pushed when it changes, pulled when a view appears and nothing has come yet.
 *
 * Wire format: a custom message `{op: "data", kind, id, arrays: [{name, dtype, shape}], ...content}` with one buffer
 * an array. `{op: "pull", kind}` asks for the newest. A message with a lower id than one already seen is dropped.
 */
import type { Model } from "./model";

export type Numbers = Uint8Array | Int32Array | Float32Array;

export interface ArrayData {
  data: Numbers;
  shape: number[];
}

export interface Data {
  kind: string;
  id: number;
  content: Record<string, unknown>;
  arrays: Record<string, ArrayData>;
}

interface Header {
  name: string;
  dtype: "uint8" | "int32" | "float32";
  shape: number[];
}

/** A typed array over a message's buffer; copied only where the offset is not aligned. */
export function decode(buffer: DataView | ArrayBuffer, dtype: Header["dtype"], shape: number[]): ArrayData {
  const view = buffer instanceof DataView ? buffer : new DataView(buffer);
  const length = shape.reduce((product, side) => product * side, 1);
  const size = dtype === "uint8" ? 1 : 4;
  if (view.byteLength < length * size) {
    throw new Error(
      `a ${dtype} array of shape ${shape.join("x")} needs ${length * size} bytes, got ${view.byteLength}`,
    );
  }
  if (dtype === "uint8") return { data: new Uint8Array(view.buffer, view.byteOffset, length), shape };
  let { buffer: bytes, byteOffset } = view;
  if (byteOffset % 4 !== 0) {
    bytes = bytes.slice(byteOffset, byteOffset + length * size);
    byteOffset = 0;
  }
  const data =
    dtype === "int32" ? new Int32Array(bytes, byteOffset, length) : new Float32Array(bytes, byteOffset, length);
  return { data, shape };
}

interface Message {
  op: string;
  kind: string;
  id: number;
  arrays: Header[];
  [name: string]: unknown;
}

interface Store {
  latest: Map<string, Data>;
  listeners: Map<string, Set<(data: Data) => void>>;
}

const stores = new WeakMap<object, Store>();

/** The store of a model's data, listening from the first call on: call it in `initialize`, before any view exists. */
function store(model: Model<never>): Store {
  const present = stores.get(model);
  if (present) return present;
  const created: Store = { latest: new Map(), listeners: new Map() };
  stores.set(model, created);
  const receive = ({ op, kind, id, arrays, ...content }: Message, buffers: DataView[]) => {
    if (op !== "data") return;
    const before = created.latest.get(kind);
    if (before && before.id > id) return;
    const data: Data = { kind, id, content, arrays: {} };
    arrays.forEach((header, index) => {
      const buffer = buffers[index];
      if (buffer) data.arrays[header.name] = decode(buffer, header.dtype, header.shape);
    });
    created.latest.set(kind, data);
    for (const listener of created.listeners.get(kind) ?? []) listener(data);
  };
  model.on("msg:custom", receive as (...args: never[]) => void);
  return created;
}

export function openChannel<State extends object>(model: Model<State>): void {
  store(model as unknown as Model<never>);
}

/** Calls `handler` with the newest data of `kind` and each that follows; asks Python if there is none yet. */
export function subscribe<State extends object>(
  model: Model<State>,
  kind: string,
  handler: (data: Data) => void,
): () => void {
  const { latest, listeners } = store(model as unknown as Model<never>);
  const group = listeners.get(kind) ?? new Set();
  listeners.set(kind, group.add(handler));
  const newest = latest.get(kind);
  if (newest) handler(newest);
  else model.send({ op: "pull", kind });
  return () => {
    group.delete(handler);
  };
}
