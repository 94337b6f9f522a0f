// One step: the cell as a picture (drawings.json), and one unit's numbers put into the equations, forward and back.

// The walk: a name in WORDING; the parts that light up; equations, in which {name} becomes a number.
const SUM = (gate) => `a_${gate} = x Wx + h_prev Wh + b = {x_${gate}} + {h_${gate}} + {b_${gate}} = {a_${gate}}`;
const WALKS = {
  LSTM: [
    ["forget", "f in c_prev", SUM("f"), "f = σ(a_f) = {f}"],
    ["input", "i g in", SUM("i"), "i = σ(a_i) = {i}", SUM("g"), "g = tanh a_g = {g}"],
    ["cell", "cell c c_prev", "c = f c_prev + i g = {f} · {c_prev} + {i} · {g} = {c}"],
    ["output", "o h in", SUM("o"), "o = σ(a_o) = {o}", "h = o tanh c = {o} · {tanh_c} = {h}"],
    ["backOutput", "h o", "dh = {dh}", "do = dh tanh c = {dh} · {tanh_c} = {do}", "da_o = do o (1 - o) = {da_o}"],
    ["backCell", "c cell", "dc = dh o (1 - tanh² c) + dc_next f_next = {dc_here} + {dc_later} = {dc}"],
    ["backInput", "i g", "di = dc g = {dc} · {g} = {di}", "da_i = di i (1 - i) = {da_i}",
      "dg = dc i = {dc} · {i} = {dg}", "da_g = dg (1 - g²) = {da_g}"],
    ["backForget", "f c_prev", "df = dc c_prev = {dc} · {c_prev} = {df}", "da_f = df f (1 - f) = {da_f}",
      "dc_prev = dc f = {dc} · {f} = {dc_prev}"],
  ],
  GRU: [
    ["reset", "r in", SUM("r"), "r = σ(a_r) = {r}"],
    ["candidate", "n r in", "s = h_prev Wh + bh = {s}", "n = tanh(x Wx + b + r s) = tanh({a_n} + {r} · {s}) = {n}"],
    ["update", "z h h_prev in", SUM("z"), "z = σ(a_z) = {z}", "h = (1 - z) n + z h_prev = {h}"],
    ["backUpdate", "h z h_prev", "dh = {dh}", "dz = dh (h_prev - n) = {dz}", "da_z = dz z (1 - z) = {da_z}",
      "dh_prev = dh z + … = {dh_kept} + …"],
    ["backCandidate", "n r", "dn = dh (1 - z) = {dn}", "da_n = dn (1 - n²) = {da_n}",
      "dr = da_n s = {da_n} · {s} = {dr}", "da_r = dr r (1 - r) = {da_r}"],
  ],
  RNN: [
    ["recurrence", "in h", SUM("h"), "h = f(a_h) = {h}"],
    ["backRecurrence", "h in", "dh = {dh}", "da_h = dh f'(a_h) = {da_a}"],
  ],
};

// What stands between two numbers of the cell.
const BETWEEN = {
  LSTM(v) {
    const tanh_c = Math.tanh(v.c), dc_here = v.dh * v.o * (1 - tanh_c ** 2);
    const gates = { do: v.dh * tanh_c, di: v.dc * v.g, dg: v.dc * v.i, df: v.dc * v.c_prev };
    return { tanh_c, dc_here, dc_later: v.dc - dc_here, dc_prev: v.dc * v.f, ...gates };
  },
  GRU: (v) => ({ dz: v.dh * (v.h_prev - v.n), dh_kept: v.dh * v.z, dn: v.dh * (1 - v.z), dr: v.da_n * v.s }),
  RNN: () => ({}),
};

const ONE = {
  phase: 0,
  show() {
    const { node } = app, walk = WALKS[node.type];
    this.phase = Math.min(this.phase, walk.length - 1);
    const [name, lit, ...equations] = walk[this.phase], values = this.values();
    showCell("one");
    byId("one-parts").replaceChildren();
    walk.forEach(([part], k) => {
      const button = Object.assign(element(byId("one-parts"), "button", "", say(part).split(":")[0]), { type: "button", onclick: () => this.walk(k - this.phase) });
      button.setAttribute("aria-pressed", k === this.phase);
    });
    byId("one-text").textContent = say(name);
    const broken = equations.map((line) => line.replaceAll(" = ", "\n   = ").replace("\n   = ", " = ")); // but for the first
    byId("one-equations").replaceChildren();
    broken.join("\n").split(/{(\w+)}/).forEach((piece, k) => { // text and names of numbers in turn
      const value = values[piece], small = Math.abs(value) < 1e-3 && value;
      element(byId("one-equations"), "span", k % 2 ? "number" : "", k % 2 ? (small ? value.toExponential(2) : value.toFixed(4)) : piece);
    });
    byId("one-pin").checked = app.pinned !== null;
    this.draw(app.network.data.drawings[node.type], lit.split(" "), values);
  },
  walk(by) {
    this.phase = Math.min(Math.max(this.phase + by, 0), WALKS[app.node.type].length - 1);
    show();
  },
  // Every number of the unit in this step, by its name in the equations.
  values() {
    const { node, pass, unit, network } = app, cache = pass.caches[node.name], t = network.stepOf(node, pass, app.step);
    const target = app.pinned === null ? app.step : app.pinned, v = { x: app.symbols[app.step] };
    network.influence(pass, target, app.answerOf(target));
    for (const [name, grad] of Object.entries(cache.grads)) v["hc".includes(name) ? `d${name}` : `da_${name}`] = row(grad, t)[unit];
    for (const [name, part] of Object.entries(cache.parts)) {
      v[name] = row(part, t)[unit];
      if (cache.start[name]) v[`${name}_prev`] = (t ? row(part, t - 1) : cache.start[name])[unit];
    }
    this.addSums(v, node, t, pass.values[node.inputs[0]], t ? row(cache.parts.h, t - 1) : cache.start.h);
    return Object.assign(v, BETWEEN[node.type](v));
  },
  // a = x Wx + h_prev Wh + b of each gate, and its three parts. The candidate of a GRU has its share of h_prev in s.
  addSums(v, node, t, x, h_prev) {
    const gates = LAYERS[node.type].gates.length ? LAYERS[node.type].gates : ["h"], K = gates.length * node.units;
    const input = x.ids ? written({ rows: 1, cols: x.cols, ids: [x.ids[t]] }).data : row(x, t);
    gates.forEach((gate, k) => {
      const column = k * node.units + app.unit, isPlain = gate !== "n";
      const product = (values, W) => values.reduce((sum, value, j) => sum + value * W[j * K + column], 0);
      v[`x_${gate}`] = product(input, node.weight("Wx"));
      v[`h_${gate}`] = isPlain ? product(h_prev, node.weight("Wh")) : 0;
      const bias = (name) => (node.weight(name) || [])[column] || 0;
      v[`b_${gate}`] = bias("b") + (isPlain ? bias("bh") : 0);
      v[`a_${gate}`] = v[`x_${gate}`] + v[`h_${gate}`] + v[`b_${gate}`];
    });
  },
  draw({ lines, boxes, circles, numbers }, lit, values) {
    const svg = byId("one-cell");
    svg.replaceChildren();
    svg.setAttribute("aria-label", `${app.node.type}, ${say("unit")} ${app.unit}, ${say("step")} ${app.step}`);
    const add = (tag, part, attributes, text = "") => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
      Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
      made.classList.toggle("lit", lit.includes(part));
      made.textContent = text;
      svg.append(made);
    };
    lines.forEach(([part, d]) => add("path", part, { d }));
    boxes.forEach(([part, x, y]) => add("rect", part, { x: x - 23, y: y - 15, width: 46, height: 30, rx: 4 }));
    circles.forEach(([part, x, y]) => add("circle", part, { cx: x, cy: y, r: 12 }));
    [...boxes, ...circles].forEach(([part, x, y, text]) => {
      add("text", part, { x, y: y + 4 }, text === "f" ? app.node.activation : text);
    });
    numbers.forEach(([name, x, y]) => {
      const value = values[name];
      add("text", name, { x, y: y - 6 }, name);
      add("text", name, { x, y: y + 8, class: "number" }, typeof value === "number" ? value.toFixed(2) : visible(value));
    });
    const { x, y, width, height } = svg.getBBox();
    svg.setAttribute("viewBox", `${x - 8} ${y - 8} ${width + 16} ${height + 16}`);
  },
};
