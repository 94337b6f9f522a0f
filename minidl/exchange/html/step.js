// One step: the cell as a picture, and one unit's numbers put into the equations, forward and back.

// What is drawn: lines as paths; boxes and circles as [part, x, y, label]; numbers as [name, x, y].
const DRAWINGS = {
  LSTM: {
    lines: [["c_prev", "M30 60H118"], ["f", "M130 185V72"], ["cell", "M142 60H238"], ["i", "M210 185V130H238"], ["g", "M290 185V130H262"], ["cell", "M250 118V72"],
      ["c", "M262 60H530"], ["c", "M450 60V98"], ["h", "M450 122V148"], ["o", "M390 185V160H438"], ["h", "M450 172V250H530"], ["in", "M30 250H390V215"], ["in", "M130 250V215M210 250V215M290 250V215"], ["in", "M80 285V250"]],
    boxes: [["f", 130, 200, "σ"], ["i", 210, 200, "σ"], ["g", 290, 200, "tanh"], ["o", 390, 200, "σ"]],
    circles: [["f", 130, 60, "×"], ["cell", 250, 130, "×"], ["cell", 250, 60, "+"], ["c", 450, 110, "t"], ["h", 450, 160, "×"]],
    numbers: [["c_prev", 50, 40], ["f", 160, 170], ["i", 205, 160], ["g", 312, 160], ["o", 415, 175], ["c", 520, 40], ["h", 505, 238], ["h_prev", 45, 232], ["x", 80, 302]],
  },
  GRU: {
    lines: [["h_prev", "M30 60H218"], ["z", "M230 185V72"], ["h", "M242 60H378"], ["z", "M230 130H278"], ["z", "M302 130H378"], ["n", "M390 185V142"], ["n", "M390 118V72"], ["h", "M402 60H530"],
      ["r", "M130 185V150H340V200H362"], ["in", "M30 250H390V215"], ["in", "M130 250V215M230 250V215"], ["in", "M80 285V250"]],
    boxes: [["r", 130, 200, "σ"], ["z", 230, 200, "σ"], ["n", 390, 200, "tanh"]],
    circles: [["z", 230, 60, "×"], ["z", 290, 130, "1−"], ["n", 390, 130, "×"], ["h", 390, 60, "+"]],
    numbers: [["h_prev", 50, 40], ["r", 160, 170], ["z", 258, 170], ["n", 430, 175], ["h", 505, 40], ["x", 80, 302]],
  },
  RNN: {
    lines: [["in", "M30 160H220"], ["in", "M130 285V160"], ["h", "M266 160H530"]],
    boxes: [["h", 243, 160, "tanh"]], circles: [["in", 130, 160, "+"]],
    numbers: [["h_prev", 60, 140], ["x", 130, 302], ["h", 480, 140]],
  },
};

// The walk: a name in WORDING, the parts that light up, and its equations. `sum(gate)` is the sum before the gate.
const s4 = (value) => (Object.is(value, undefined) ? "" : value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(2) : value.toFixed(4));
const WALKS = {
  LSTM: [
    ["forget", ["f", "in", "c_prev"], (v) => [v.sum("f"), `f = σ(${s4(v.a.f)}) = ${s4(v.f)}`]],
    ["input", ["i", "g", "in"], (v) => [v.sum("i"), `i = σ(${s4(v.a.i)}) = ${s4(v.i)}`, v.sum("g"), `g = tanh(${s4(v.a.g)}) = ${s4(v.g)}`]],
    ["cell", ["cell", "c", "c_prev"], (v) => ["c = f c_prev + i g", `  = ${s4(v.f)} · ${s4(v.c_prev)} + ${s4(v.i)} · ${s4(v.g)} = ${s4(v.c)}`]],
    ["output", ["o", "h", "in"], (v) => [v.sum("o"), `o = σ(${s4(v.a.o)}) = ${s4(v.o)}`, "h = o tanh c", `  = ${s4(v.o)} · ${s4(Math.tanh(v.c))} = ${s4(v.h)}`]],
    ["backOutput", ["h", "o"], (v) => [`dh = ${s4(v.dh)}`, "do = dh tanh c", `   = ${s4(v.dh)} · ${s4(Math.tanh(v.c))} = ${s4(v.dh * Math.tanh(v.c))}`, "  · o (1 - o):", `${say("of")} o: ${s4(v.da.o)}`]],
    ["backCell", ["c", "cell"], (v) => ["dc = dh o (1 - tanh² c) + dc_next f_next", `   = ${s4(v.dh * v.o * (1 - Math.tanh(v.c) ** 2))} + ${s4(v.dc - v.dh * v.o * (1 - Math.tanh(v.c) ** 2))} = ${s4(v.dc)}`]],
    ["backInput", ["i", "g"], (v) => ["di = dc g", `   = ${s4(v.dc)} · ${s4(v.g)} = ${s4(v.dc * v.g)}`, "  · i (1 - i):", `${say("of")} i: ${s4(v.da.i)}`, "dg = dc i", `   = ${s4(v.dc)} · ${s4(v.i)} = ${s4(v.dc * v.i)}`, "  · (1 - g²):", `${say("of")} g: ${s4(v.da.g)}`]],
    ["backForget", ["f", "c_prev"], (v) => ["df = dc c_prev", `   = ${s4(v.dc)} · ${s4(v.c_prev)} = ${s4(v.dc * v.c_prev)}`, "  · f (1 - f):", `${say("of")} f: ${s4(v.da.f)}`, "dc_prev = dc f", `   = ${s4(v.dc)} · ${s4(v.f)} = ${s4(v.dc * v.f)}`]],
  ],
  GRU: [
    ["reset", ["r", "in"], (v) => [v.sum("r"), `r = σ(${s4(v.a.r)}) = ${s4(v.r)}`]],
    ["candidate", ["n", "r", "in"], (v) => [`s = h_prev Wh + bh = ${s4(v.s)}`, "n = tanh(x Wx + b + r s)", `  = tanh(${s4(v.a.n)} + ${s4(v.r)} · ${s4(v.s)}) = ${s4(v.n)}`]],
    ["update", ["z", "h", "h_prev", "in"], (v) => [v.sum("z"), `z = σ(${s4(v.a.z)}) = ${s4(v.z)}`, "h = (1 - z) n + z h_prev", `  = ${s4(1 - v.z)} · ${s4(v.n)} + ${s4(v.z)} · ${s4(v.h_prev)} = ${s4(v.h)}`]],
    ["backUpdate", ["h", "z", "h_prev"], (v) => [`dh = ${s4(v.dh)}`, "dz = dh (h_prev - n)", `   = ${s4(v.dh)} · ${s4(v.h_prev - v.n)} = ${s4(v.dh * (v.h_prev - v.n))}`, "  · z (1 - z):", `${say("of")} z: ${s4(v.da.z)}`, `dh z = ${s4(v.dh * v.z)}`]],
    ["backCandidate", ["n", "r"], (v) => ["dn = dh (1 - z)", `   = ${s4(v.dh)} · ${s4(1 - v.z)} = ${s4(v.dh * (1 - v.z))}`, "  · (1 - n²):", `${say("of")} n: ${s4(v.da.n)}`, `dr = dn s = ${s4(v.da.n * v.s)}`, "  · r (1 - r):", `${say("of")} r: ${s4(v.da.r)}`]],
  ],
  RNN: [
    ["recurrence", ["in", "h"], (v) => [v.sum("h"), `h = ${v.f_name}(${s4(v.a.h)}) = ${s4(v.h)}`]],
    ["backRecurrence", ["h", "in"], (v) => [`dh = ${s4(v.dh)}`, `${say("of")} h: ${s4(v.da.h)}`]],
  ],
};

const ONE = {
  phase: 0,
  show() {
    const { node, unit } = app, walk = WALKS[node.type];
    this.phase = Math.min(this.phase, walk.length - 1);
    const [name, lit, equations] = walk[this.phase], values = this.values();
    showSymbols("one-symbols", app.symbols, (t) => cellColour(node, app.pass, unit, t));
    byId("one-phase").textContent = `${this.phase + 1}/${walk.length}`;
    byId("one-text").textContent = say(name);
    byId("one-equations").textContent = equations(values).join("\n");
    byId("one-pin").checked = app.pinned !== null;
    this.draw(DRAWINGS[node.type], new Set(lit), values);
  },

  walk(by) {
    this.phase = Math.min(Math.max(this.phase + by, 0), WALKS[app.node.type].length - 1);
    show();
  },

  // Every number of the unit in this step: parts by name, gradients as dh, dc and da[gate], sums as a[gate].
  values() {
    const { node, pass, unit, network } = app, cache = pass.caches[node.name], t = network.stepOf(node, pass, app.step);
    const target = app.pinned === null ? app.step : app.pinned, answerStep = network.answerRow(pass, target);
    network.influence(pass, target, app.answerOf(target));
    const numbers = (parts) => Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, row(part, t)[unit]]));
    const v = { ...numbers(cache.parts), answerStep, a: {}, da: numbers(cache.grads), x: app.symbols[app.step] };
    Object.assign(v, { dh: v.da.h, dc: v.da.c, f_name: node.activation || "tanh" });
    const before = (name) => (t ? row(cache.parts[name], t - 1) : cache.start[name]);
    v.h_prev = before("h")[unit];
    if (cache.parts.c) v.c_prev = before("c")[unit];
    const x = pass.values[node.inputs[0]], gates = LAYERS[node.type].gates.length ? LAYERS[node.type].gates : ["h"], H = node.units;
    const shares = Object.fromEntries(gates.map((gate, k) => {
      const column = k * H + unit, at = (name, values) => values.reduce((sum, value, j) => sum + value * node.weight(name)[j * gates.length * H + column], 0);
      const fromX = x.ids ? node.weight("Wx")[x.ids[t] * gates.length * H + column] : at("Wx", row(x, t));
      const bias = node.weight("b")[column] + (node.type === "GRU" && gate !== "n" ? node.weight("bh")[column] : 0);
      const fromH = gate === "n" ? 0 : at("Wh", before("h"));
      v.a[gate] = fromX + fromH + bias;
      return [gate, [fromX, fromH, bias]];
    }));
    v.sum = (gate) => `a${gates.length > 1 ? `_${gate}` : ""} = x Wx + h_prev Wh + b\n    = ${shares[gate].map(s4).join(" + ")} = ${s4(v.a[gate])}`;
    return v;
  },

  draw({ lines, boxes, circles, numbers }, lit, values) {
    const svg = byId("one-cell");
    svg.replaceChildren();
    svg.setAttribute("aria-label", `${app.node.type} ${say("unit")} ${app.unit}, ${say("step")} ${app.step}`);
    const add = (tag, part, attributes, text) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
      Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
      if (lit.has(part)) made.classList.add("lit");
      if (text !== undefined) made.textContent = text;
      svg.append(made);
      return made;
    };
    lines.forEach(([part, d]) => add("path", part, { d }));
    boxes.forEach(([part, x, y, label]) => { add("rect", part, { x: x - 23, y: y - 15, width: 46, height: 30, rx: 4 }); add("text", part, { x, y: y + 4 }, label); });
    circles.forEach(([part, x, y, label]) => { add("circle", part, { cx: x, cy: y, r: 12 }); add("text", part, { x, y: y + 4 }, label); });
    numbers.forEach(([name, x, y]) => {
      const value = values[name];
      add("text", name, { x, y: y - 6 }, name);
      add("text", name, { x, y: y + 8, class: "number" }, typeof value === "number" ? value.toFixed(2) : visible(value || ""));
    });
  },
};
