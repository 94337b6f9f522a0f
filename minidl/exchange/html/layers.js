// Each layer as forward(node, inputs, carried) -> {y, ...} and backward(node, inputs, cache, dy) -> gradients of inputs.
// One sequence at a time, without padding: inputs of lengths are not needed. Dropout is off.

const same = { forward: (node, [x]) => ({ y: x }), backward: (node, inputs, cache, dy) => [dy] };

const LAYERS = {
  LSTM, GRU, RNN, Attention, AdditiveAttention,
  Dropout: same,
  OneHot: {
    forward: (node, [x]) => ({ y: { rows: x.rows, cols: x.depth, ids: x.ids } }),
    backward: (node, [x], cache, dy) => [dy.scores || x.ids.map((id, t) => dy.data[t * dy.cols + id])],
  },
  Embedding: {
    forward: (node, [x]) => ({ y: affine({ ...x, cols: x.depth }, node.weight("table"), new Float64Array(node.units)) }),
    backward: (node, [x], { y }, dy) => [Float64Array.from(x.ids, (id, t) => dot(row(dy, t), row(y, t), 0))],
  },
  Dense: {
    forward: (node, [x]) => ({ y: affine(x, node.weight("W"), node.weight("b") || new Float64Array(node.units)) }),
    backward: (node, [x], cache, dy) => [affineBack(x, dy, node.weight("W"))],
  },
  Activation: {
    forward: (node, [x]) => ({ y: map(written(x), ACTIVATIONS[node.kind][0]) }),
    backward(node, [x], { y }, dy) {
      const slope = ACTIVATIONS[node.kind][1], input = written(x);
      return [map(dy, (value, k) => value * slope(input.data[k], y.data[k]))];
    },
  },
  LayerNorm: {
    forward(node, [given]) {
      const x = written(given), n = matrix(x.rows, x.cols), inverse = new Float64Array(x.rows);
      for (let t = 0; t < x.rows; t++) {
        const x_t = row(x, t), mean = average(x_t);
        inverse[t] = 1 / Math.sqrt(average(x_t.map((value) => (value - mean) ** 2)) + node.eps);
        row(n, t).set(x_t.map((value) => (value - mean) * inverse[t]));
      }
      const gain = node.weight("gain"), bias = node.weight("bias");
      return { y: map(n, (value, k) => value * gain[k % x.cols] + bias[k % x.cols]), n, inverse };
    },
    backward(node, inputs, { n, inverse }, dy) {
      const gain = node.weight("gain"), dx = matrix(n.rows, n.cols);
      for (let t = 0; t < n.rows; t++) {
        const n_t = row(n, t), dn = row(dy, t).map((value, k) => value * gain[k]), mean = average(dn);
        const along = average(dn.map((value, k) => value * n_t[k]));
        row(dx, t).set(dn.map((value, k) => (value - mean - n_t[k] * along) * inverse[t]));
      }
      return [dx];
    },
  },
  Add: {
    forward: (node, xs) => ({ y: xs.map(written).reduce((a, b) => map(a, (value, k) => value + b.data[k])) }),
    backward: (node, xs, cache, dy) => xs.map(() => dy),
  },
  Multiply: {
    forward: (node, xs) => ({ y: xs.map(written).reduce((a, b) => map(a, (value, k) => value * b.data[k])) }),
    backward: (node, given, cache, dy) => given.map((_, n) => given.map(written).reduce(
      (d, x, m) => (m === n ? d : map(d, (value, k) => value * x.data[k])), dy)),
  },
  Pool: {
    forward(node, [given]) {
      const x = written(given), y = matrix(1, x.cols), steps = (k) => Array.from({ length: x.rows }, (_, t) => x.data[t * x.cols + k]);
      return { y: map(y, (_, k) => (node.kind === "mean" ? average(steps(k)) : Math.max(...steps(k)))) };
    },
    backward(node, [given], { y }, dy) {
      const x = written(given), first = y.data.map((top, k) => x.data.findIndex((value, at) => at % x.cols === k && value === top));
      return [map(matrix(x.rows, x.cols), (_, at) => {
        const k = at % x.cols;
        return node.kind === "mean" ? dy.data[k] / x.rows : at === first[k] ? dy.data[k] : 0;
      })];
    },
  },
  Concat: {
    forward(node, given) {
      const xs = given.map(written), y = matrix(xs[0].rows, xs.reduce((sum, x) => sum + x.cols, 0));
      for (let t = 0; t < y.rows; t++) {
        let start = 0;
        for (const x of xs) { row(y, t).set(row(x, t), start); start += x.cols; }
      }
      return { y };
    },
    backward(node, xs, cache, dy) {
      let start = 0;
      return xs.map((x) => {
        const dx = matrix(x.rows, x.cols);
        for (let t = 0; t < x.rows; t++) row(dx, t).set(row(dy, t).subarray(start, start + x.cols));
        start += x.cols;
        return dx;
      });
    },
  },
  Reverse: {
    forward: (node, [x]) => ({ y: reversed(written(x)) }),
    backward: (node, inputs, cache, dy) => [reversed(dy)],
  },
  Last: {
    forward: (node, [x]) => ({ y: { rows: 1, cols: x.cols, data: row(written(x), x.rows - 1).slice() } }),
    backward(node, [x], cache, dy) {
      const dx = matrix(x.rows, x.cols);
      row(dx, x.rows - 1).set(dy.data);
      return [dx];
    },
  },
};

// The function, and its slope by x and y.
const ACTIVATIONS = {
  tanh: [Math.tanh, (x, y) => 1 - y ** 2],
  sigmoid: [sigmoid, (x, y) => y * (1 - y)],
  relu: [(x) => Math.max(x, 0), (x) => Number(x > 0)],
  gelu: [(x) => x * normal(x), (x) => normal(x) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI)],
  gelu_tanh: [(x) => x * sigmoid(2 * geluInner(x)), (x) => {
    const s = sigmoid(2 * geluInner(x));
    return s + 2 * x * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x ** 2) * s * (1 - s);
  }],
};
// Abramowitz and Stegun 1964, 7.1.26: to 1.5e-7.
const ERF = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
function normal(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x) / Math.SQRT2);
  const tail = ERF.reduce((sum, a) => sum * t + a, 0) * t * Math.exp(-x * x / 2) / 2;
  return x < 0 ? tail : 1 - tail;
}
const geluInner = (x) => Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);
const average = (x) => x.reduce((a, b) => a + b, 0) / x.length;

function reversed(x) {
  const y = matrix(x.rows, x.cols);
  for (let t = 0; t < x.rows; t++) row(y, t).set(row(x, x.rows - 1 - t));
  return y;
}
