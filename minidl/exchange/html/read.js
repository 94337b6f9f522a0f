// Read: the text coloured by one unit, what comes next, and every gate of every unit as heat maps.

const MOST_ANSWERS = 8;

const READ = {
  show() {
    const { pass, node, unit, step, network } = app, { parts } = pass.caches[node.name], place = byId("read-maps");
    showCell("read");
    const at = network.stepOf(node, pass, step), table = byId("read-unit");
    table.replaceChildren();
    element(table, "div", "help", `${say("unit")} ${unit}, ${stepName(step)}`);
    for (const name of shownParts(parts)) {
      const value = row(parts[name], at)[unit];
      showBar(table, say(name), Math.abs(value), value.toFixed(4), value < 0 ? "bar" : "bar came");
    }
    showNext(byId("read-next"));
    const every = network.data.tokens ? 1 : Math.ceil(28 / widthOf(pass.steps)), axis = { step, every, onPick: (t) => app.choose(t) };
    const labels = app.symbols.map((symbol, t) => (t % every ? "" : symbol));
    place.replaceChildren();
    stepAxis(place, labels, { ...axis, above: true });
    showAnswers(place, axis);
    showGates(place, parts, node, unitOrder(app.state), (t) => network.stepOf(node, pass, t), app);
    showAttention(place, axis);
    stepAxis(place, labels, axis);
    const ahead = step * widthOf(pass.steps) - place.scrollLeft, seen = app.room - 2 * AXIS;
    if (ahead < 0 || ahead > seen) place.scrollLeft += ahead - seen / 2;
  },
};

const stepName = (step) => `${say("step")} ${step}${app.network.data.tokens ? ` · ${visible(app.symbols[step])}` : ""}`;
const shownParts = (parts) => Object.keys(parts).filter((name) => name !== "s"); // of the GRU: what r is multiplied by

// The gates, cell state and output of all units. stepOf: which step of the layer stands in a column.
function showGates(place, parts, node, rows, stepOf, { step, unit }) {
  for (const name of shownParts(parts)) {
    const part = parts[name], { data } = part, isGate = LAYERS[node.type].gates.includes(name) && !["g", "n"].includes(name);
    const every = Math.ceil(data.length / 2000), some = Float64Array.from({ length: data.length / every }, (_, k) => Math.abs(data[k * every])).sort();
    const largest = isGate ? 1 : Math.max(1, some[Math.floor(0.95 * some.length)]); // few values lie beyond
    heatMap(place, {
      caption: say(name), rows, columns: Array.from({ length: part.rows }, (_, t) => row(part, stepOf(t))),
      stops: isGate ? GATE : signed(), low: isGate ? 0 : -largest, high: largest, chosen: { step, row: unit }, onPick: app.choose,
    });
  }
}

// What each step of an attention looks at, a row a step that is seen.
function showAttention(place, axis) {
  const { pass, network, symbols } = app, rows = [...symbols.keys()], chosen = { step: axis.step, row: axis.step };
  for (const { name } of network.nodes) {
    (pass.caches[name].p || []).forEach((columns, head) => {
      const high = Math.max(...columns.map((shares) => Math.max(...shares))), caption = `${say("looksAt")} (${name}, ${head + 1})`;
      if (columns.length === rows.length) heatMap(place, { caption, rows, columns, stops: GATE, low: 0, high, labels: symbols, chosen, onPick: axis.onPick });
    });
  }
}

function showBar(place, name, share, number, className) {
  const bar = element(place, "div", className);
  element(bar, "b", "", name);
  element(element(bar, "div"), "i").style.width = `${100 * Math.min(1, share)}%`;
  element(bar, "span", "", number);
}

// The most likely answers at the chosen step as bars, with what did come.
function showNext(place) {
  const { step, network: { data } } = app, answer = app.answers[step], isNext = data.output.what === "next";
  const isNumber = data.output.kind === "numbers", came = isNext && step + 1 < app.symbols.length ? app.ids[step + 1] : null;
  const shown = isNumber ? [...answer.keys()] : ranked(answer).slice(0, MOST_ANSWERS);
  if (came !== null && !shown.includes(came)) shown.push(came);
  place.replaceChildren();
  const ahead = data.output.horizon ? `${say("forecastFor")} ${step + data.output.horizon}: ` : "";
  element(place, "div", "help", `${ahead}${say(isNext ? "next" : "answer")} ${stepName(step)}`);
  for (const k of shown) {
    const name = visible(data.names[k]) + (k === came ? ` ← ${say("came")}` : "");
    if (isNumber) showBar(place, name, 0, short(original(answer[k], data.names[k])), "bar");
    else showBar(place, name, answer[k], answer[k].toFixed(3), k === came ? "bar came" : "bar");
  }
  if (data.unnamed) element(place, "div", "help", say("unnamed"));
}

// Below the text: surprise of a language model; classes or tags step by step; a series with its forecast.
function showAnswers(place, axis) {
  const { network: { data }, answers, ids } = app, { kind, what, horizon, window } = data.output, steps = app.symbols.length;
  if (what === "next") {
    const values = ids.map((id, t) => (t ? -Math.log2(answers[t - 1][id]) : null));
    if (steps > 1) plot(place, say("surprise"), [{ values, kind: "bars", colour: BLUE }], { ...axis, height: 80, from: 0 });
  } else if (kind !== "numbers") {
    const most = data.names.map((_, k) => Math.max(...answers.map((answer) => answer[k])));
    heatMap(place, {
      caption: say("answers"), rows: ranked(most).slice(0, MOST_ANSWERS), columns: answers, stops: GATE, low: 0, high: 1,
      labels: data.names, chosen: axis, onPick: axis.onPick,
    });
  } else data.names.forEach((name, k) => {
    const column = data.columns.indexOf(name), made = Array(steps + horizon).fill(null);
    answers.forEach((answer, t) => { if (t + 1 >= window || t + 1 === steps) made[t + horizon] = original(answer[k], name); });
    const values = made.map((_, t) => (column < 0 || t >= steps ? null : original(app.input[t][column], name)));
    plot(place, `${name} — ${say("forecast")}`, [{ values, colour: BLUE }, { values: made, kind: "dots", colour: ORANGE }], axis);
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
    const here = t === app.step && id !== "write-symbols";
    const piece = element(pieces, "span", here ? "here" : "", isPlain ? visible(symbol).replace("␣", " ") : visible(symbol));
    paint(piece, colourOf(t));
    piece.dataset.step = t;
    if (symbol.includes("\n")) element(pieces, "br");
  });
  place.replaceChildren(pieces);
}

// The text coloured by the state of the chosen unit, and what the colours mean.
function showCell(tab) {
  const { node, unit, pass, network, state: part } = app, { state } = LAYERS[node.type];
  const values = app.symbols.map((_, t) => part.data[network.stepOf(node, pass, t) * part.cols + unit]);
  const largest = Math.max(1e-9, ...values.map(Math.abs)), place = byId(`${tab}-legend`);
  showSymbols(`${tab}-symbols`, app.symbols, (t) => colour(signed(), values[t], -largest, largest));
  place.textContent = `${say("colouredBy")} ${unit} ${say("of")} ${node.name}, ${say(state)}`;
  legend(place, -largest, signed(), largest);
  const known = network.data.features.filter(({ units }) => units.some(([layer, k]) => layer === node.name && k === unit));
  if (known.length) place.append(` — ${say("tells")}: ${known.map(({ name }) => name[app.language]).join(", ")}`);
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
