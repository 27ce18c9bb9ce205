// Reverse-mode differentiation: walks a loss back to what it depends on and builds the graph of its gradients.
// Recomputation, the trade of time for memory, happens here too, so no model needs to know of it.

import { add, after, cast, pickAdd, scatterAdd } from "../graph/ops.ts";
import { float, nodeLike } from "../graph/trace.ts";
import type { Node, Value } from "../graph/value.ts";
import { isFloat } from "../tensor/dtype.ts";
import { ruleOf } from "./rules.ts";

/** How to differentiate. */
export interface GradientOptions {
  /**
   * The scopes whose inner values are computed again in the backward pass instead of being kept. What crosses a
   * scope's border is kept: a layer's input, and an owner's keys and values that other layers read.
   */
  recompute?: (scope: string) => boolean;
}

/** The gradients of `loss` (a scalar) with respect to each of `wrt`. Throws a TypeError where one has no influence. */
export function gradient(loss: Value, wrt: readonly Value[], { recompute }: GradientOptions = {}): Value[] {
  if (loss.shape.length !== 0) throw new TypeError(`gradient: the loss must be a scalar, found [${loss.shape}]`);
  const sums = new Map<Value, Value>([[loss, float(1)]]);
  const replay = recompute && new Replay(recompute);

  for (const reached of influential(loss, wrt)) {
    const arrived = reached.outputs.map((output) => sums.get(output));
    const [signal, ...rest] = arrived;
    if (signal === undefined) {
      if (rest.some((other) => other !== undefined))
        throw new TypeError(`gradient: only the first output of ${reached.op} has one`);
      continue;
    }
    const seen = replay ? replay.node(reached, signal) : reached;
    const gradients = ruleOf(seen)(seen, [signal, ...rest]);
    for (const [i, read] of reached.inputs.entries()) {
      const part = gradients[i];
      if (part === undefined) continue;
      const sum = sums.get(read);
      sums.set(read, sum === undefined ? part : accumulate(sum, part));
    }
  }
  return wrt.map((value) => {
    const found = sums.get(value);
    if (!found) throw new TypeError(`gradient: the loss does not depend on ${nameOf(value)}`);
    return found;
  });
}

/** The nodes through which `wrt` influences the loss, users before what they use. */
function influential(loss: Value, wrt: readonly Value[]): Node[] {
  const wanted = new Set(wrt);
  const influences = new Map<Node, boolean>();
  const visit = (at: Node): boolean => {
    const known = influences.get(at);
    if (known !== undefined) return known;
    influences.set(at, false);
    const does =
      at.inputs.map((read) => visit(read.node)).includes(true) || at.outputs.some((made) => wanted.has(made));
    influences.set(at, does);
    return does;
  };
  visit(loss.node);
  return [...influences.keys()].filter((at) => influences.get(at)).sort((a, b) => b.id - a.id);
}

// A sparse gradient joins a dense one in place of being spread over zeros first.
function accumulate(a: Value, b: Value): Value {
  for (const [sparse, dense] of [
    [b, a],
    [a, b],
  ] as const) {
    const { op, inputs } = sparse.node;
    if (op === "scatterAdd" && isZero(inputs[0])) return scatterAdd(dense, inputs[1], inputs[2]);
    if (op === "pickAdd" && isZero(inputs[0])) return pickAdd(dense, inputs[1], inputs[2]);
  }
  return a.dtype === b.dtype ? add(a, b) : add(cast(a, "float32"), cast(b, "float32"));
}

function isZero({ node }: Value): boolean {
  const from = node.op === "expand" ? node.inputs[0].node : undefined;
  return from?.op === "constant" && from.attributes.tensor.data[0] === 0;
}

function nameOf({ node }: Value): string {
  return node.op === "input" ? node.attributes.name : node.op;
}

/**
 * Copies of the nodes of recomputed scopes. A scope's copy starts when the first gradient reaches it: everything it
 * reads from outside waits for that gradient, so that the runtime cannot compute the copy early and keep it.
 */
class Replay {
  readonly #wants: (scope: string) => boolean;
  readonly #copies = new Map<Node, Node>();
  readonly #signals = new Map<string, Value>();

  constructor(wants: (scope: string) => boolean) {
    this.#wants = wants;
  }

  node(original: Node, signal: Value): Node {
    const { scope } = original;
    if (scope === "" || !this.#wants(scope)) return original;
    if (!this.#signals.has(scope)) this.#signals.set(scope, signal);
    return this.#copy(original);
  }

  #copy(original: Node): Node {
    const known = this.#copies.get(original);
    if (known) return known;
    const { scope } = original;
    const copy = nodeLike(original, (read) => {
      if (read.node.op === "input" || read.node.op === "constant" || !isFloat(read.dtype)) return read;
      if (read.node.scope !== scope) return after(read, this.#signals.get(scope) as Value);
      return this.#copy(read.node).outputs[read.index] as Value;
    });
    this.#copies.set(original, copy);
    return copy;
  }
}
