// Matrices of steps: {rows, cols, data}, a row a step. One-hot rows are {rows, cols, ids} and are never written out.

const matrix = (rows, cols) => ({ rows, cols, data: new Float64Array(rows * cols) });
const row = (m, t) => m.data.subarray(t * m.cols, (t + 1) * m.cols);
const sigmoid = (x) => 1 / (1 + Math.exp(-x));

// y += x W                     x (F), W (F, K), y (K); eight rows of W at a time, which is several times as fast
function addProduct(y, x, W) {
  const K = y.length, eights = x.length - (x.length % 8);
  for (let f = 0; f < eights; f += 8) {
    const a = x[f], b = x[f + 1], c = x[f + 2], d = x[f + 3], e = x[f + 4], g = x[f + 5], h = x[f + 6], i = x[f + 7];
    for (let k = 0, w = f * K; k < K; k++, w++) {
      y[k] += a * W[w] + b * W[w + K] + c * W[w + 2 * K] + d * W[w + 3 * K]
        + e * W[w + 4 * K] + g * W[w + 5 * K] + h * W[w + 6 * K] + i * W[w + 7 * K];
    }
  }
  for (let f = eights; f < x.length; f++) for (let k = 0; k < K; k++) y[k] += x[f] * W[f * K + k];
}

// dx += dy Wᵀ                  dy (K), W (F, K), dx (F)
function addTransposedProduct(dx, dy, W) {
  const K = dy.length;
  for (let f = 0; f < dx.length; f++) dx[f] += dot(dy, W, f * K);
}

function dot(x, W, start) {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += x[k] * W[start + k];
  return sum;
}

// y = x W + b, each step; the product of a one-hot row is a row of W.
function affine(x, W, b) {
  const y = matrix(x.rows, b.length);
  for (let t = 0; t < x.rows; t++) {
    const y_t = row(y, t);
    y_t.set(b);
    if (x.ids) for (let k = 0, start = x.ids[t] * b.length; k < b.length; k++) y_t[k] += W[start + k];
    else addProduct(y_t, row(x, t), W);
  }
  return y;
}

// dx = dy Wᵀ. Of one-hot rows only the entry of the symbol itself is asked for: `scores`, gradient times input.
function affineBack(x, dy, W) {
  if (x.ids) return { scores: Float64Array.from(x.ids, (id, t) => dot(row(dy, t), W, id * dy.cols)) };
  const dx = matrix(x.rows, x.cols);
  for (let t = 0; t < x.rows; t++) if (anyNonzero(row(dy, t))) addTransposedProduct(row(dx, t), row(dy, t), W);
  return dx;
}

const anyNonzero = (x) => x.some((value) => value !== 0);

function written(x) {
  if (!x.ids) return x;
  const y = matrix(x.rows, x.cols);
  x.ids.forEach((id, t) => { y.data[t * x.cols + id] = 1; });
  return y;
}

// (V, F) -> (F, V)
function transposed(W, V) {
  const F = W.length / V;
  return Float32Array.from(W, (_, k) => W[(k % V) * F + Math.floor(k / V)]);
}

const map = ({ rows, cols, data }, f) => ({ rows, cols, data: data.map(f) });

function softmax(logits, temperature = 1) {
  const largest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const p = Float64Array.from(logits, (v) => Math.exp((v - largest) / temperature));
  const total = p.reduce((a, b) => a + b, 0);
  return p.map((value) => value / total);
}

// Indices, the largest value first.
const ranked = (values) => Array.from(values.keys()).sort((a, b) => values[b] - values[a]);

// Numbers in [0, 1) from a seed: mulberry32.
function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Temperature, top-k and top-p as in minidl: the most likely where the temperature is 0.
function draw(logits, { temperature, topK, topP }, random) {
  if (temperature === 0) return ranked(logits)[0];
  const p = softmax(logits, temperature);
  let before = 0;
  const likely = ranked(p).filter((k, place) => (before += p[k]) - p[k] < topP && place < topK);
  let left = random() * likely.reduce((sum, k) => sum + p[k], 0);
  return likely.find((k) => (left -= p[k]) < 0) ?? likely[0];
}

function numbersFromBase64(text) {
  return Float64Array.from(new Float32Array(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer));
}
