// The user's network: its graph from the page's data, run forward on one sequence and backward from one prediction.

class Network {
  constructor(data, numbers) {
    this.data = data;
    this.weights = Object.fromEntries(
      Object.entries(data.weights).map(([name, [start, size]]) => [name, numbers.subarray(start, start + size)]),
    );
    this.nodes = data.nodes.map((node) => ({ ...node, weight: (name) => this.weights[`${node.owner}/${name}`] }));
    for (const { tied, owner, units } of data.nodes) if (tied) this.weights[`${owner}/W`] = transposed(this.weights[tied], units);
    this.cells = this.nodes.filter((node) => LAYERS[node.type].gates);
    this.ids = new Map((data.symbols || []).map((symbol, id) => [symbol, id]));
  }
  // Symbols of a text and their ids; one that is not known is read as the unknown symbol, or left out.
  encode(text) {
    const found = this.split(this.data.normal ? text.normalize(this.data.normal) : text), symbols = [], ids = [], leftOut = new Set();
    for (const symbol of found) {
      const id = this.ids.has(symbol) ? this.ids.get(symbol) : this.data.unknown;
      if (!this.ids.has(symbol)) leftOut.add(symbol);
      if (id !== null) { symbols.push(symbol); ids.push(id); }
    }
    return { symbols, ids, leftOut };
  }
  split(text) {
    if (this.data.tokens === "char") return Array.from(text);
    if (this.data.tokens === "space") return text.split(/\s+/u).filter(Boolean);
    const found = text.match(WORDS) || [], word = /^(?:[\p{L}\p{N}_]|<unk>$)/u;
    return found.filter((token, k) => token !== " " || !(word.test(found[k - 1] || "") && word.test(found[k + 1] || "")));
  }
  // Everything that is computed for ids (T) or numbers (T, F), by node.
  run(input, carried = {}) {
    const values = {}, caches = {}, { kind, name, depth } = this.data.input;
    values[name] = kind === "ids" ? { rows: input.length, ids: input, depth }
      : { rows: input.length, cols: depth, data: Float64Array.from(input.flat()) };
    for (const node of this.nodes) {
      const inputs = node.inputs.map((source) => values[source]);
      carried[node.name] = carried[node.name] || {};
      caches[node.name] = LAYERS[node.type].forward(node, inputs, carried[node.name]);
      values[node.name] = caches[node.name].y;
    }
    return { values, caches, input, steps: input.length, output: values[this.data.output.node] };
  }
  // Gradient times input of each step of Σ seed · output; each cache keeps the gradients of its gates.
  back(pass, seed) {
    const grads = { [this.data.output.node]: seed };
    for (const node of [...this.nodes].reverse()) {
      const dy = grads[node.name];
      if (!dy) continue;
      const inputs = node.inputs.map((source) => pass.values[source]);
      LAYERS[node.type].backward(node, inputs, pass.caches[node.name], dy).forEach((dx, k) => {
        grads[node.inputs[k]] = summed(grads[node.inputs[k]], dx, inputs[k]);
      });
    }
    const dx = grads[this.data.input.name], x = pass.values[this.data.input.name];
    return this.data.input.kind === "ids" ? Float64Array.from(dx)
      : Float64Array.from({ length: x.rows }, (_, t) => dot(row(dx, t), row(x, t), 0));
  }
  // The row of the output that answers for a step: its own, or the only one.
  answerRow(pass, t) { return Math.min(t, pass.output.rows - 1); }
  // Probabilities, or numbers, of one row of the output.
  answer(pass, t) {
    const logits = row(pass.output, this.answerRow(pass, t)), { kind } = this.data.output;
    return kind === "softmax" ? softmax(logits) : kind === "sigmoid" ? logits.map(sigmoid) : logits;
  }
  // Where the gradient of an answer begins: that of log p (softmax, sigmoid) or of the number itself.
  seed(pass, t, k) {
    const seed = matrix(pass.output.rows, pass.output.cols), p = this.answer(pass, t), { kind } = this.data.output;
    const start = row(seed, this.answerRow(pass, t));
    if (kind === "softmax") start.set(p.map((value) => -value));
    start[k] += kind === "sigmoid" ? 1 - p[k] : 1;
    return seed;
  }
  influence(pass, t, k) { return this.back(pass, this.seed(pass, t, k)); }
  // The answers as the sequence goes on: of a network that answers once, the answer to each beginning of it.
  answers(pass) {
    const { window } = this.data.output;
    return Array.from({ length: pass.steps }, (_, t) => {
      if (pass.output.rows > 1) return this.answer(pass, t);
      const first = window ? Math.max(0, t + 1 - window) : 0;
      return t + 1 === pass.steps && !first ? this.answer(pass, t) : this.answer(this.run(pass.input.slice(first, t + 1)), 0);
    });
  }
  // A layer that is fed by a reversal has its first step at the end of the text.
  stepOf(node, pass, t) { return node.reversed ? pass.steps - 1 - t : t; }
}

// A sum of gradients; those of one-hot rows come as scores where they were looked up.
function summed(total, dx, x) {
  if (!total) return dx;
  if (dx.scores || total.scores) {
    const [a, b] = [total, dx].map((d) => d.scores || x.ids.map((id, t) => d.data[t * d.cols + id]));
    return { scores: Float64Array.from(a, (value, t) => value + b[t]) };
  }
  return dx.data ? map(total, (value, k) => value + dx.data[k]) : Float64Array.from(total, (value, t) => value + dx[t]);
}

// Words as minidl splits them: a word, a punctuation mark with the spaces around it, a line break with the indentation
// after it, other white space.
const WORDS = (() => {
  const space = "[\\s\\x1c-\\x1f\\x85]", notSpace = "[^\\s\\x1c-\\x1f\\x85]", letter = "[\\p{L}\\p{N}_]";
  const unknown = `(?<!${notSpace})<unk>(?!${notSpace})`;
  const mark = `[ ]?(?!${unknown})((?!${space}|${letter})[^])\\1*[ ]?`;
  return new RegExp(`${unknown}|${letter}+(?:['’]${letter}+)*|\\n[ \\t]*|${mark}|(?:(?!\\n)${space})+`, "gu");
})();
