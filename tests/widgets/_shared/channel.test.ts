import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type BaseState,
  type Data,
  decode,
  Link,
  type Model,
  openChannel,
} from "../../../cnnwidgets/widgets/_shared/view";

class Fake {
  sent: unknown[] = [];
  handlers: ((...args: unknown[]) => void)[] = [];
  on(_: string, handler: (...args: unknown[]) => void) {
    this.handlers.push(handler);
  }
  off() {}
  send(content: unknown) {
    this.sent.push(content);
  }
  receive(message: unknown, buffers: DataView[] = []) {
    this.handlers.forEach((handler) => handler(message, buffers));
  }
}
const model = () => {
  const fake = new Fake();
  return { fake, model: fake as unknown as Model<BaseState> };
};
const data = (id: number, value = id) => ({ op: "data", kind: "maps", id, arrays: [], value });

test("a buffer that begins inside another is read from its own offset", () => {
  const bytes = new Uint8Array([9, 9, 9, 1, 2, 3, 4, 9]);
  assert.deepEqual([...decode(new DataView(bytes.buffer, 3, 4), "uint8", [2, 2]).data], [1, 2, 3, 4]);
});

test("floats at an odd offset are copied, not misread", () => {
  const bytes = new Uint8Array(9);
  new DataView(bytes.buffer).setFloat32(1, 1.5, true);
  new DataView(bytes.buffer).setFloat32(5, -2, true);
  assert.deepEqual([...decode(new DataView(bytes.buffer, 1, 8), "float32", [2]).data], [1.5, -2]);
});

test("a buffer that is too short is an error, not a smaller picture", () => {
  assert.throws(() => decode(new ArrayBuffer(3), "uint8", [2, 2]), /needs 4 bytes, got 3/u);
});

test("a first view pulls; a second one gets what has come", () => {
  const { fake, model: m } = model();
  const seen: Data[] = [];
  new Link(m).receive("maps", (d) => seen.push(d));
  assert.deepEqual(fake.sent, [{ op: "pull", kind: "maps" }]);
  fake.receive(data(1));
  new Link(m).receive("maps", (d) => seen.push(d));
  assert.equal(fake.sent.length, 1);
  assert.deepEqual(
    seen.map((d) => d.id),
    [1, 1],
  );
});

test("what came before a view existed is kept, and a stale message dropped", () => {
  const { fake, model: m } = model();
  openChannel(m);
  fake.receive(data(5));
  fake.receive(data(4));
  const seen: Data[] = [];
  const link = new Link(m);
  link.receive("maps", (d) => seen.push(d));
  fake.receive(data(6));
  link.close();
  fake.receive(data(7));
  assert.deepEqual(
    seen.map((d) => d.content["value"]),
    [5, 6],
  );
});
