// The page: what is chosen (text, layer, unit, step), and the tabs that show it.

const TABS = { read: READ, one: ONE, influence: INFLUENCE, cells: CELLS, write: WRITE };
const MOST_STEPS = 1000;
const byId = (id) => document.getElementById(id);

const app = {
  tab: "read", unit: 0, step: 0, pinned: null, node: null,
  language: navigator.language.startsWith("es") ? "es" : "en",
  // Of the layer: the state that its units carry on, a row a step.
  get state() { return this.pass.caches[this.node.name].parts[LAYERS[this.node.type].state]; },
  choose(step, unit) {
    app.step = Math.min(Math.max(step, 0), app.symbols.length - 1);
    if (unit !== undefined) app.unit = unit;
    show();
  },
  chooseUnit(layer, unit) {
    app.node = app.network.cells.find((node) => node.name === layer);
    app.unit = unit;
    show();
  },
  // The answer that is asked about at a step: the symbol that came, or the most likely one.
  answerOf(step) {
    const { what, kind } = app.network.data.output;
    if (what === "next" && step + 1 < app.ids.length) return app.ids[step + 1];
    return kind === "numbers" ? 0 : ranked(app.network.answer(app.pass, step))[0];
  },
};

// Run the network on what is typed. A text that holds nothing it knows leaves everything as it was.
function read() {
  const { network } = app, text = byId("text").value;
  const { symbols, input, note } = network.data.input.kind === "ids" ? readText(network, text) : readNumbers(network, text);
  byId("note").textContent = note || (symbols.length ? "" : say("empty"));
  if (!symbols.length) return;
  Object.assign(app, { symbols, input, ids: input, pass: network.run(input) });
  app.answers = network.answers(app.pass);
  app.step = Math.min(app.step, symbols.length - 1);
  app.pinned = null;
  show();
}

function readText(network, text) {
  const { symbols, ids, leftOut } = network.encode(text), notes = [];
  if (leftOut.size) notes.push(`${say("leftOut")} ${[...leftOut].slice(0, 12).map(visible).join(" ")}`);
  if (symbols.length > MOST_STEPS) notes.push(`${say("cut")} ${MOST_STEPS}`);
  return { symbols: symbols.slice(0, MOST_STEPS), input: ids.slice(0, MOST_STEPS), note: notes.join("; ") };
}

function readNumbers(network, text) {
  const { columns, scales } = network.data, lines = text.split("\n").filter((line) => line.trim()).slice(0, MOST_STEPS);
  const rows = lines.map((line) => line.split(",").map((cell, k) => {
    const scale = scales[columns[k]];
    return cell.trim() ? (Number(cell) - (scale ? scale.mean : 0)) / (scale ? scale.deviation : 1) : NaN;
  }));
  const wrong = rows.findIndex((numbers) => numbers.length !== columns.length || !numbers.every(Number.isFinite));
  if (wrong >= 0) return { symbols: [], input: [], note: `${say("notNumbers")} ${wrong + 1} (${columns.join(", ")})` };
  return { symbols: rows.map((_, t) => String(t)), input: rows, note: "" };
}

function show() {
  const { node, network } = app;
  app.unit = Math.min(Math.max(app.unit, 0), node.units - 1);
  Object.assign(byId("unit"), { value: app.unit, max: node.units - 1 });
  Object.assign(byId("step"), { value: app.step, max: app.symbols.length - 1 });
  byId("layer").value = node.name;
  for (const name of Object.keys(TABS)) {
    byId(name).hidden = name !== app.tab;
    Object.assign(byId(`tab-${name}`), { ariaSelected: String(name === app.tab), tabIndex: name === app.tab ? 0 : -1 });
  }
  byId("tab-write").hidden = !network.data.output.writes;
  Object.assign(app, { ink: ink("ink"), room: byId("controls").clientWidth });
  const buttons = () => [...byId(app.tab).querySelectorAll("button")], focused = buttons().indexOf(document.activeElement);
  TABS[app.tab].show();
  if (focused >= 0) buttons()[focused].focus(); // some are made anew
}

function setWords() {
  document.documentElement.lang = app.language;
  document.querySelectorAll("[data-word]").forEach((place) => { place.textContent = say(place.dataset.word); });
  if (app.network.data.input.kind !== "ids") {
    Object.entries({ text: "series", readHelp: "seriesHelp", influenceHelp: "seriesInfluenceHelp" }).forEach(([word, other]) => {
      document.querySelector(`[data-word=${word}]`).textContent = say(other);
    });
  }
  Object.assign(byId("language"), { textContent: say("language"), lang: app.language === "es" ? "en" : "es" });
  Object.keys(TABS).forEach((name) => { byId(`tab-${name}`).textContent = say(name); });
}

// Arrow keys: step and unit, or the tab where a tab has the focus; page up and down: the parts of one step.
function onKey(event) {
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.ctrlKey || event.altKey || event.metaKey) return;
  const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  const part = { PageUp: -1, PageDown: 1 }[event.key];
  if (by && event.target.role === "tab") {
    const names = Object.keys(TABS).filter((name) => !byId(`tab-${name}`).hidden), at = names.indexOf(app.tab) + by[0];
    open(names[(at + names.length) % names.length]);
    byId(`tab-${app.tab}`).focus();
  } else if (by) {
    const order = unitOrder(app.state);
    app.choose(app.step + by[0], order[Math.min(Math.max(order.indexOf(app.unit) + by[1], 0), order.length - 1)]);
  } else if (part && app.tab === "one") ONE.walk(part);
  else return;
  event.preventDefault();
}

function open(tab) {
  WRITE.stop();
  Object.assign(app, { tab });
  show();
}

// What is done about a click, a key or a change.
function listen() {
  const on = (id, kind, work) => byId(id).addEventListener(kind, work);
  on("text", "input", read);
  on("layer", "change", () => app.chooseUnit(byId("layer").value, app.unit));
  on("unit", "input", () => app.choose(app.step, Number(byId("unit").value)));
  on("step", "input", () => app.choose(Number(byId("step").value)));
  on("order", "change", show);
  on("language", "click", () => { app.language = app.language === "es" ? "en" : "es"; setWords(); read(); });
  for (const [id, by] of [["one-back", -1], ["one-on", 1]]) on(id, "click", () => ONE.walk(by));
  on("one-pin", "change", () => { app.pinned = byId("one-pin").checked ? app.step : null; show(); });
  on("controls", "submit", (event) => event.preventDefault());
  on("write-form", "submit", (event) => { event.preventDefault(); if (WRITE.timer) WRITE.stop(); else WRITE.start(); });
  document.querySelectorAll(".symbols").forEach((place) => place.addEventListener("click", (event) => {
    if (event.target.dataset.step && place.id !== "write-symbols") app.choose(Number(event.target.dataset.step));
  }));
  document.addEventListener("keydown", onKey);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  window.addEventListener("resize", () => { if (app.tab !== "write") show(); });
}

function begin() {
  const data = JSON.parse(byId("data").textContent);
  app.network = new Network(data, numbersFromBase64(byId("weights").textContent));
  const [layer, unit] = data.features.length ? data.features[0].units[0] : ["", 0]; // one that is known for something
  Object.assign(app, { unit, node: app.network.cells.find((node) => node.name === layer) || app.network.cells[0] });
  document.title = byId("title").textContent = `minidl · ${data.name}`;
  byId("about").textContent = data.about;
  byId("text").value = data.text;
  app.network.cells.forEach((node) => { element(byId("layer"), "option", "", node.name).value = node.name; });
  for (const name of Object.keys(TABS)) {
    Object.assign(element(byId("tabs"), "button"), { id: `tab-${name}`, type: "button", role: "tab", onclick: () => open(name) });
    byId(`tab-${name}`).setAttribute("aria-controls", name);
    byId(name).setAttribute("aria-labelledby", `tab-${name}`);
  }
  listen();
  setWords();
  read();
  app.choose(Math.floor(app.symbols.length / 2), data.features.length ? unit : unitOrder(app.state)[0]);
}

begin();
