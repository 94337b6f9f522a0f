// Influence: how much each earlier step matters for one prediction, and by distance over several of them.

const PREDICTIONS = 16; // over which the influence by distance is a mean

const INFLUENCE = {
  show() {
    const { pass, network, step } = app, k = app.answerOf(step), found = network.influence(pass, step, k);
    const largest = Math.max(1e-12, ...found.map(Math.abs)), { names, output } = network.data, title = byId("influence-title");
    const probability = output.kind === "numbers" ? "" : `, p = ${network.answer(pass, step)[k].toFixed(4)}`;
    title.textContent = `${say(output.what)} ${stepName(pass.output.rows > 1 ? step : pass.steps - 1)} → ${visible(names[k])}${probability}:`;
    legend(title, -largest, signed(), largest);
    showSymbols("influence-symbols", app.symbols, (t) => colour(signed(), found[t], -largest, largest));
    const place = byId("influence-lags"), means = byLag(network, pass), every = means.length > 60 ? 10 : 5;
    place.replaceChildren();
    const values = Array.from(means, (value) => (value > 0 ? Math.log10(value) : null));
    plot(place, say("byLagAxis"), [{ values, colour: ORANGE }], { height: 180, least: 1, spell: (log) => short(10 ** log), onPick: () => {} });
    stepAxis(place, values.map((_, lag) => (lag % every || lag === means.length - 1 ? "" : String(lag))), { every });
  },
};

// Mean |influence| by the number of steps between, over predictions spread over the later half of the steps.
function byLag(network, pass) {
  const last = pass.steps - 1, first = Math.floor(pass.steps / 2), sums = new Float64Array(first + 1);
  const count = pass.output.rows > 1 ? Math.min(PREDICTIONS, last - first + 1) : 1;
  for (let j = 0; j < count; j++) {
    const t = count === 1 ? last : first + Math.round((j * (last - first)) / (count - 1));
    const found = network.influence(pass, t, app.answerOf(t));
    for (let lag = 0; lag <= Math.min(first, t); lag++) sums[lag] += Math.abs(found[t - lag]) / count;
  }
  return sums;
}
