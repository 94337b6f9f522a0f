// Read: the text coloured by one unit, what comes next, and every gate of every unit as heat maps.

const MOST_ANSWERS = 8;

const READ = {
  show() {
    const { pass, node, unit, step } = app, state = LAYERS[node.type].state;
    showSymbols("read-symbols", app.symbols, (t) => cellColour(node, pass, unit, t));
    const values = Object.entries(pass.caches[node.name].parts).filter(([name]) => name !== "s");
    const at = app.network.stepOf(node, pass, step);
    byId("read-unit").textContent = values.map(([name, part]) => `${say(name).padEnd(30)} ${row(part, at)[unit].toFixed(4)}`).join("\n");
    showNext(byId("read-next"));
    const place = byId("read-maps"), order = unitOrder(pass.caches[node.name].parts[state]);
    place.replaceChildren();
    symbolAxis(place, app.symbols, app, app.choose);
    showAnswers(place);
    showGates(place, pass.caches[node.name].parts, node, order, (t) => app.network.stepOf(node, pass, t), app);
    symbolAxis(place, app.symbols, app, app.choose);
  },
};

// The gates, cell state and output of all units. stepOf: which step of the layer stands in a column.
function showGates(place, parts, node, order, stepOf, { step, unit }) {
  for (const [name, part] of Object.entries(parts)) {
    if (name === "s") continue; // of the GRU: what its reset gate is multiplied by
    const isGate = LAYERS[node.type].gates.includes(name) && !["g", "n"].includes(name);
    const some = part.data.filter((_, k) => k % Math.ceil(part.data.length / 2000) === 0).map(Math.abs).sort();
    const largest = isGate ? 1 : Math.max(1, some[Math.floor(0.95 * some.length)]); // few values lie beyond
    heatMap(place, {
      caption: say(name), steps: part.rows, rows: order, value: (t, u) => part.data[stepOf(t) * part.cols + u],
      stops: isGate ? GATE : signed(), low: isGate ? 0 : -largest, high: largest, chosen: { step, row: unit }, onPick: app.choose,
    });
  }
}

// The most likely answers at the chosen step as bars, with what did come.
function showNext(place) {
  const { step, network: { data } } = app, answer = app.answers[step], isNext = data.output.what === "next";
  const isNumber = data.output.kind === "numbers";
  const came = isNext && step + 1 < app.symbols.length ? app.ids[step + 1] : null;
  const shown = isNumber ? [...answer.keys()] : ranked(answer).slice(0, MOST_ANSWERS);
  if (came !== null && !shown.includes(came)) shown.push(came);
  place.replaceChildren();
  element(place, "div", "help", `${say(isNext ? "next" : "answer")} ${step}${data.tokens ? ` ${visible(app.symbols[step])}` : ""}`);
  for (const k of shown) {
    const bar = element(place, "div", k === came ? "bar came" : "bar");
    element(bar, "b", "", visible(data.names[k]) + (k === came ? ` ← ${say("came")}` : ""));
    element(element(bar, "div"), "i").style.width = isNumber ? 0 : `${100 * answer[k]}%`;
    element(bar, "span", "", isNumber ? short(original(answer[k], data.names[k])) : answer[k].toFixed(3));
  }
}

// Below the text: surprise of a language model; classes or tags step by step; a series with its forecast.
function showAnswers(place) {
  const { network: { data }, answers, ids } = app, steps = app.symbols.length;
  if (data.output.what === "next") {
    barMap(place, say("surprise"), ids.map((id, t) => (t ? -Math.log2(answers[t - 1][id]) : null)), app.choose);
    return;
  }
  if (data.output.kind !== "numbers") {
    const most = data.names.map((_, k) => Math.max(...answers.map((answer) => answer[k])));
    const rows = ranked(most).slice(0, MOST_ANSWERS);
    heatMap(place, {
      caption: say("answers"), steps, rows, value: (t, k) => answers[t][k], stops: GATE, low: 0, high: 1,
      labels: data.names, chosen: { step: app.step }, onPick: (t) => app.choose(t),
    });
    return;
  }
  data.names.forEach((name, k) => {
    const column = data.columns.indexOf(name), values = app.input.map((numbers) => (column < 0 ? null : original(numbers[column], name)));
    const { horizon, window } = data.output, made = Array(steps + horizon).fill(null);
    answers.forEach((answer, t) => { if (t + 1 >= window || t + 1 === steps) made[t + horizon] = original(answer[k], name); });
    const lines = [{ values, colour: ink("ink") }, { values: made, dots: true, colour: "#e66101" }];
    curves(place, `${name}: ${say("forecast")}`, steps + horizon, lines, (t) => app.choose(Math.min(t, steps - 1)));
  });
}

// A column is standardised for the network; here in its own units.
function original(value, name) {
  const scale = app.network.data.scales[name];
  return scale ? value * scale.deviation + scale.mean : value;
}

// Symbols as text, each on a colour; a click chooses the step.
function showSymbols(id, symbols, colourOf) {
  const place = byId(id), pieces = document.createDocumentFragment(), isPlain = app.network.data.tokens === "char";
  place.classList.toggle("apart", !isPlain);
  symbols.forEach((symbol, t) => {
    const [r, g, b] = colourOf(t), here = t === app.step && id !== "write-symbols";
    const piece = element(pieces, "span", here ? "here" : "", isPlain ? visible(symbol).replace("␣", " ") : visible(symbol));
    Object.assign(piece.style, { background: `rgb(${r},${g},${b})`, color: 0.3 * r + 0.6 * g + 0.1 * b > 128 ? "#000" : "#fff" });
    piece.dataset.step = t;
    if (symbol.includes("\n")) element(pieces, "br");
  });
  place.replaceChildren(pieces);
}

function cellColour(node, pass, unit, t) {
  const { parts } = pass.caches[node.name], part = parts[LAYERS[node.type].state];
  let largest = 1e-9;
  for (let s = 0; s < part.rows; s++) largest = Math.max(largest, Math.abs(part.data[s * part.cols + unit]));
  return colour(signed(), part.data[app.network.stepOf(node, pass, t) * part.cols + unit], -largest, largest);
}

// Units in the chosen order: by how much their state varies, each beside the one most like it, or as numbered.
function unitOrder(part) {
  const units = [...Array(part.cols).keys()], how = byId("order").value;
  if (how === "number") return units;
  const centred = units.map((u) => {
    const values = Float64Array.from({ length: part.rows }, (_, t) => part.data[t * part.cols + u]), mean = average(values);
    return values.map((value) => value - mean);
  });
  const size = centred.map((values) => Math.sqrt(dot(values, values, 0)));
  const varying = ranked(size);
  if (how === "varying") return varying;
  const order = [varying.shift()];
  while (varying.length) {
    const last = order.at(-1), near = varying.map((u) => dot(centred[u], centred[last], 0) / (size[u] * size[last] || 1));
    order.push(...varying.splice(ranked(near)[0], 1));
  }
  return order;
}
