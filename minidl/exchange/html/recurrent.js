// The recurrent layers, in the letters of docs/lstm.md. `parts` holds what forward computes (gates, c, h), a matrix of
// steps and units each; `grads` what backward leaves: of a gate the gradient at its sum, of c and h the whole gradient.

const makeParts = (names, T, H) => Object.fromEntries(names.map((name) => [name, matrix(T, H)]));
const rowsOf = (parts, t) => Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, row(part, t)]));

// Steps from the last to the first; a step that no gradient reaches is skipped. `step` gives dh of the step before.
function backThroughTime(dy, H, grads, step) {
  let dh = new Float64Array(H);
  for (let t = dy.rows - 1; t >= 0; t--) {
    const g = rowsOf(grads, t);
    row(dy, t).forEach((value, u) => { g.h[u] = value + dh[u]; });
    if (anyNonzero(g.h) || anyNonzero(dh)) dh = step(t, g);
  }
}

const LSTM = {
  gates: ["i", "f", "g", "o"],
  state: "c",
  forward(node, [x], carried) {
    const H = node.units, Wh = node.weight("Wh"), sums = affine(x, node.weight("Wx"), node.weight("b"));
    const parts = makeParts(["i", "f", "g", "o", "c", "h"], x.rows, H);
    const start = { h: carried.h || new Float64Array(H), c: carried.c || new Float64Array(H) };
    let { h, c } = start;
    for (let t = 0; t < x.rows; t++) {
      const a = row(sums, t), p = rowsOf(parts, t);
      addProduct(a, h, Wh);
      for (let u = 0; u < H; u++) {
        p.i[u] = sigmoid(a[u]);
        p.f[u] = sigmoid(a[H + u]);
        p.g[u] = Math.tanh(a[2 * H + u]);
        p.o[u] = sigmoid(a[3 * H + u]);
        p.c[u] = p.f[u] * c[u] + p.i[u] * p.g[u];
        p.h[u] = p.o[u] * Math.tanh(p.c[u]);
      }
      ({ h, c } = p);
    }
    Object.assign(carried, { h, c });
    return { y: parts.h, parts, start };
  },
  backward(node, [x], cache, dy) {
    const H = node.units, { parts, start } = cache, da = matrix(x.rows, 4 * H);
    const grads = (cache.grads = makeParts(["i", "f", "g", "o", "c", "h"], x.rows, H));
    let dc = new Float64Array(H);
    backThroughTime(dy, H, grads, (t, d) => {
      const { i, f, g, o, c } = rowsOf(parts, t), c_prev = t ? row(parts.c, t - 1) : start.c, dh_prev = new Float64Array(H);
      const dc_prev = new Float64Array(H);
      for (let u = 0; u < H; u++) {
        const tanh_c = Math.tanh(c[u]);
        d.c[u] = dc[u] + d.h[u] * o[u] * (1 - tanh_c ** 2);
        d.i[u] = d.c[u] * g[u] * i[u] * (1 - i[u]);
        d.f[u] = d.c[u] * c_prev[u] * f[u] * (1 - f[u]);
        d.g[u] = d.c[u] * i[u] * (1 - g[u] ** 2);
        d.o[u] = d.h[u] * tanh_c * o[u] * (1 - o[u]);
        dc_prev[u] = d.c[u] * f[u];
      }
      dc = dc_prev;
      this.gates.forEach((gate, k) => row(da, t).set(d[gate], k * H));
      addTransposedProduct(dh_prev, row(da, t), node.weight("Wh"));
      return dh_prev;
    });
    return [affineBack(x, da, node.weight("Wx"))];
  },
};

const GRU = {
  gates: ["r", "z", "n"],
  state: "h",
  forward(node, [x], carried) {
    const H = node.units, Wh = node.weight("Wh"), sums = affine(x, node.weight("Wx"), node.weight("b"));
    const parts = makeParts(["r", "z", "n", "s", "h"], x.rows, H);
    const start = { h: carried.h || new Float64Array(H) };
    let { h } = start;
    for (let t = 0; t < x.rows; t++) {
      const a = row(sums, t), p = rowsOf(parts, t), past = Float64Array.from(node.weight("bh"));
      addProduct(past, h, Wh);
      for (let u = 0; u < H; u++) {
        p.r[u] = sigmoid(a[u] + past[u]);
        p.z[u] = sigmoid(a[H + u] + past[H + u]);
        p.s[u] = past[2 * H + u];
        p.n[u] = Math.tanh(a[2 * H + u] + p.r[u] * p.s[u]);
        p.h[u] = (1 - p.z[u]) * p.n[u] + p.z[u] * h[u];
      }
      h = p.h;
    }
    carried.h = h;
    return { y: parts.h, parts, start };
  },
  backward(node, [x], cache, dy) {
    const H = node.units, { parts, start } = cache, da = matrix(x.rows, 3 * H);
    const grads = (cache.grads = makeParts(["r", "z", "n", "s", "h"], x.rows, H));
    backThroughTime(dy, H, grads, (t, d) => {
      const { r, z, n, s } = rowsOf(parts, t), h_prev = t ? row(parts.h, t - 1) : start.h;
      const dpast = new Float64Array(3 * H), dh_prev = d.h.map((value, u) => value * z[u]);
      for (let u = 0; u < H; u++) {
        d.n[u] = d.h[u] * (1 - z[u]) * (1 - n[u] ** 2);
        d.z[u] = d.h[u] * (h_prev[u] - n[u]) * z[u] * (1 - z[u]);
        d.r[u] = d.n[u] * s[u] * r[u] * (1 - r[u]);
        d.s[u] = d.n[u] * r[u];
      }
      this.gates.forEach((gate, k) => row(da, t).set(d[gate], k * H));
      ["r", "z", "s"].forEach((gate, k) => dpast.set(d[gate], k * H));
      addTransposedProduct(dh_prev, dpast, node.weight("Wh"));
      return dh_prev;
    });
    return [affineBack(x, da, node.weight("Wx"))];
  },
};

const RNN = {
  gates: [],
  state: "h",
  forward(node, [x], carried) {
    const H = node.units, parts = { h: affine(x, node.weight("Wx"), node.weight("b")) };
    const start = { h: carried.h || new Float64Array(H) };
    let { h } = start;
    for (let t = 0; t < x.rows; t++) {
      const h_t = row(parts.h, t);
      addProduct(h_t, h, node.weight("Wh"));
      h_t.forEach((a, u) => { h_t[u] = node.activation === "relu" ? Math.max(a, 0) : Math.tanh(a); });
      h = h_t;
    }
    carried.h = h;
    return { y: parts.h, parts, start };
  },
  backward(node, [x], cache, dy) {
    const H = node.units, da = matrix(x.rows, H), grads = (cache.grads = makeParts(["h"], x.rows, H));
    backThroughTime(dy, H, grads, (t, d) => {
      const h = row(cache.parts.h, t), dh_prev = new Float64Array(H);
      row(da, t).set(d.h.map((dh, u) => dh * (node.activation === "relu" ? Number(h[u] > 0) : 1 - h[u] ** 2)));
      addTransposedProduct(dh_prev, row(da, t), node.weight("Wh"));
      return dh_prev;
    });
    return [affineBack(x, da, node.weight("Wx"))];
  },
};
