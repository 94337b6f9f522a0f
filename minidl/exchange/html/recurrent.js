// The recurrent layers, in the letters of docs/lstm.md. Of a unit u, `step` computes gates and states from
// a = x Wx + b, past = h_prev Wh (+ bh) and the step before; `back` does the gradients of the sums of its gates and, in
// `before`, what goes to the step before, from the gradient d.h of its output and what came back from the step `later`.

function recurrent({ gates, sums, pastSums, names, state, step, back }) {
  const parts = (T, H, all) => Object.fromEntries(all.map((name) => [name, matrix(T, H)]));
  const rows = (all, t) => Object.fromEntries(Object.entries(all).map(([name, part]) => [name, row(part, t)]));
  return {
    gates, state,

    forward(node, [x], carried) {
      const H = node.units, bias = (name) => node.weight(name) || new Float64Array(sums.length * H);
      const a = affine(x, node.weight("Wx"), bias("b")), found = parts(x.rows, H, names);
      const start = { h: carried.h || new Float64Array(H), c: carried.c || new Float64Array(H) };
      let prev = start;
      for (let t = 0; t < x.rows; t++) {
        const a_t = row(a, t), p = rows(found, t), past = Float64Array.from(bias("bh"));
        addProduct(past, prev.h, node.weight("Wh"));
        for (let u = 0; u < H; u++) step(u, H, a_t, past, p, prev, node);
        prev = p;
      }
      Object.assign(carried, { h: prev.h, c: prev.c });
      return { y: found.h, parts: found, start };
    },

    backward(node, [x], cache, dy) {
      const H = node.units, da = matrix(x.rows, sums.length * H), zeros = () => new Float64Array(H);
      cache.grads = parts(x.rows, H, [...new Set([...sums, ...pastSums, ...names])]);
      let later = { h: zeros(), c: zeros() };
      for (let t = x.rows - 1; t >= 0; t--) {
        const d = rows(cache.grads, t), p = rows(cache.parts, t), prev = t ? rows(cache.parts, t - 1) : cache.start;
        row(dy, t).forEach((value, u) => { d.h[u] = value + later.h[u]; });
        if (!anyNonzero(d.h) && !anyNonzero(later.c)) continue;
        const before = { h: zeros(), c: zeros() }, dpast = new Float64Array(da.cols);
        for (let u = 0; u < H; u++) back(u, p, prev, d, later, before, node);
        sums.forEach((gate, k) => row(da, t).set(d[gate], k * H));
        pastSums.forEach((gate, k) => dpast.set(d[gate], k * H));
        addTransposedProduct(before.h, dpast, node.weight("Wh"));
        later = before;
      }
      return [affineBack(x, da, node.weight("Wx"))];
    },
  };
}

const LSTM = recurrent({
  gates: ["i", "f", "g", "o"], sums: ["i", "f", "g", "o"], pastSums: ["i", "f", "g", "o"],
  names: ["i", "f", "g", "o", "c", "h"], state: "c",
  step(u, H, a, past, p, prev) {
    p.i[u] = sigmoid(a[u] + past[u]);
    p.f[u] = sigmoid(a[H + u] + past[H + u]);
    p.g[u] = Math.tanh(a[2 * H + u] + past[2 * H + u]);
    p.o[u] = sigmoid(a[3 * H + u] + past[3 * H + u]);
    p.c[u] = p.f[u] * prev.c[u] + p.i[u] * p.g[u];
    p.h[u] = p.o[u] * Math.tanh(p.c[u]);
  },
  back(u, { i, f, g, o, c }, prev, d, later, before) {
    const tanh_c = Math.tanh(c[u]);
    d.c[u] = later.c[u] + d.h[u] * o[u] * (1 - tanh_c ** 2);
    d.i[u] = d.c[u] * g[u] * i[u] * (1 - i[u]);
    d.f[u] = d.c[u] * prev.c[u] * f[u] * (1 - f[u]);
    d.g[u] = d.c[u] * i[u] * (1 - g[u] ** 2);
    d.o[u] = d.h[u] * tanh_c * o[u] * (1 - o[u]);
    before.c[u] = d.c[u] * f[u];
  },
});

const GRU = recurrent({
  gates: ["r", "z", "n"], sums: ["r", "z", "n"], pastSums: ["r", "z", "s"],
  names: ["r", "z", "n", "s", "h"], state: "h",
  step(u, H, a, past, p, prev) {
    p.r[u] = sigmoid(a[u] + past[u]);
    p.z[u] = sigmoid(a[H + u] + past[H + u]);
    p.s[u] = past[2 * H + u];
    p.n[u] = Math.tanh(a[2 * H + u] + p.r[u] * p.s[u]);
    p.h[u] = (1 - p.z[u]) * p.n[u] + p.z[u] * prev.h[u];
  },
  back(u, { r, z, n, s }, prev, d, later, before) {
    d.n[u] = d.h[u] * (1 - z[u]) * (1 - n[u] ** 2);
    d.z[u] = d.h[u] * (prev.h[u] - n[u]) * z[u] * (1 - z[u]);
    d.r[u] = d.n[u] * s[u] * r[u] * (1 - r[u]);
    d.s[u] = d.n[u] * r[u];
    before.h[u] = d.h[u] * z[u];
  },
});

const RNN = recurrent({
  gates: [], sums: ["a"], pastSums: ["a"], names: ["h"], state: "h",
  step(u, H, a, past, p, prev, { activation }) {
    p.h[u] = activation === "relu" ? Math.max(a[u] + past[u], 0) : Math.tanh(a[u] + past[u]);
  },
  back(u, { h }, prev, d, later, before, { activation }) {
    d.a[u] = d.h[u] * (activation === "relu" ? Number(h[u] > 0) : 1 - h[u] ** 2);
  },
});
