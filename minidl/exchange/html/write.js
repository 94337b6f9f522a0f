// Write: the network goes on by itself, one symbol after the other, and its gates are shown while it does.

const SHOWN = 120; // the steps of the heat maps

const WRITE = {
  timer: 0,
  show() { byId("write-go").textContent = say(this.timer ? "stop" : "write"); },
  start() {
    const number = (id) => Number(byId(id).value), { network, node } = app;
    const choice = { temperature: number("temperature"), topK: number("top-k") || Infinity, topP: number("top-p") || 1 };
    const writer = writing(network, app.ids, choice, number("seed")), written = [], passes = [];
    const left = { count: Math.max(1, number("length")) };
    const some = () => {
      for (let k = 0; k < 4 && left.count; k++, left.count--) {
        const { id, pass } = writer.next().value;
        written.push(network.data.symbols[id]);
        passes.push(pass);
      }
      this.draw(written, passes.slice(-SHOWN), node);
      this.timer = left.count ? requestAnimationFrame(some) : 0;
      this.show();
    };
    some();
  },
  stop() {
    cancelAnimationFrame(this.timer);
    this.timer = 0;
    this.show();
  },
  draw(written, passes, node) {
    const place = byId("write-maps"), parts = {}, earlier = written.length - passes.length;
    for (const name of Object.keys(passes[0].caches[node.name].parts)) {
      parts[name] = matrix(passes.length, node.units);
      passes.forEach((pass, t) => row(parts[name], t).set(row(pass.caches[node.name].parts[name], pass.steps - 1)));
    }
    const state = parts[LAYERS[node.type].state], value = (t) => (t < earlier ? 0 : row(state, t - earlier)[app.unit]);
    const most = Math.max(1e-9, ...written.map((_, t) => Math.abs(value(t))));
    showSymbols("write-symbols", written, (t) => colour(signed(), value(t), -most, most));
    place.replaceChildren();
    stepAxis(place, written.slice(-SHOWN), { step: passes.length - 1, above: true });
    showGates(place, parts, node, unitOrder(state), (t) => t, { step: passes.length - 1, unit: app.unit });
    place.scrollLeft = place.scrollWidth;
  },
};

// Symbols without an end, each with the pass that led to it.
function* writing(network, prime, choice, seed) {
  const carried = {}, random = randomNumbers(seed);
  let pass = network.run(prime, carried);
  while (true) {
    const id = draw(row(pass.output, pass.steps - 1), choice, random);
    yield { id, pass };
    pass = network.run([id], carried);
  }
}
