// Attention: p = softmax over s of e[t, s], y[t] = Σ p[t, s] v[s]. `score` gives e of a query and a key; `back` adds its
// gradients to theirs. Heads are parts of the features; a causal query sees the keys up to its own step.

function attention(score, back) {
  const part = (x, t, head, heads) => row(x, t).subarray((head * x.cols) / heads, ((head + 1) * x.cols) / heads);
  return {
    forward(node, [query, keys, values = keys]) {
      const y = matrix(query.rows, values.cols), heads = node.heads || 1, p = [];
      for (let head = 0; head < heads; head++) {
        p.push([]);
        for (let t = 0; t < query.rows; t++) {
          const seen = node.causal ? Math.min(t + 1, keys.rows) : keys.rows, q = part(query, t, head, heads), y_t = part(y, t, head, heads);
          const shares = softmax(Array.from({ length: seen }, (_, s) => score(node, q, part(keys, s, head, heads))));
          shares.forEach((share, s) => part(values, s, head, heads).forEach((value, k) => { y_t[k] += share * value; }));
          p[head].push(shares);
        }
      }
      return { y, p };
    },
    backward(node, [query, keys, values], { p }, dy) {
      const given = values || keys, heads = p.length;
      const [dq, dk, dv] = [query, keys, given].map((x) => matrix(x.rows, x.cols));
      p.forEach((steps, head) => steps.forEach((shares, t) => {
        const dy_t = part(dy, t, head, heads), dp = shares.map((_, s) => dot(part(given, s, head, heads), dy_t, 0)), along = dot(shares, dp, 0);
        shares.forEach((share, s) => {
          const dv_s = part(dv, s, head, heads);
          dy_t.forEach((value, k) => { dv_s[k] += share * value; });
          back(node, share * (dp[s] - along), ...[query, dq].map((x) => part(x, t, head, heads)), ...[keys, dk].map((x) => part(x, s, head, heads)));
        });
      }));
      return values ? [dq, dk, dv] : [dq, map(dk, (value, k) => value + dv.data[k])];
    },
  };
}

const Attention = attention(
  (node, q, k) => dot(q, k, 0) / Math.sqrt(q.length),
  (node, de, q, dq, k, dk) => q.forEach((_, j) => {
    dq[j] += (de * k[j]) / Math.sqrt(q.length);
    dk[j] += (de * q[j]) / Math.sqrt(q.length);
  }),
);

const AdditiveAttention = attention(
  (node, q, k) => q.reduce((sum, value, j) => sum + node.weight("w")[j] * Math.tanh(value + k[j]), 0),
  (node, de, q, dq, k, dk) => q.forEach((value, j) => {
    const da = de * node.weight("w")[j] * (1 - Math.tanh(value + k[j]) ** 2);
    dq[j] += da;
    dk[j] += da;
  }),
);
