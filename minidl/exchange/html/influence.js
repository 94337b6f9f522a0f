// Influence: how much each earlier step matters for one prediction, and by distance over several of them.

const PREDICTIONS = 16; // over which the influence by distance is a mean

const INFLUENCE = {
  show() {
    const { pass, network, step } = app, k = app.answerOf(step), found = network.influence(pass, step, k);
    const largest = found.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12), name = visible(network.data.names[k]);
    const probability = network.data.output.kind === "numbers" ? "" : `, p = ${network.answer(pass, step)[k].toFixed(4)}`;
    byId("influence-title").textContent = `${say("step")} ${step} → ${name}${probability}; ±${short(largest)}`;
    showSymbols("influence-symbols", app.symbols, (t) => colour(signed(), found[t], -largest, largest));
    this.drawLags(byLag(network, pass));
  },

  drawLags(means) {
    const width = Math.min(byId("influence").clientWidth, 700), height = 220, left = 64, bottom = 30;
    const [, map] = canvas(width, height, byId("influence-lag"));
    const logs = means.map((value) => Math.log10(Math.max(value, 1e-12))), high = Math.ceil(Math.max(...logs)), low = Math.min(high - 1, Math.floor(Math.min(...logs)));
    const x = (lag) => left + (lag / Math.max(1, means.length - 1)) * (width - left - 10), y = (log) => 8 + ((high - log) / (high - low)) * (height - bottom - 8);
    map.textAlign = "right";
    for (let log = low; log <= high; log += Math.ceil((high - low) / 6)) map.fillText(`1e${log}`, left - 8, y(log));
    map.textAlign = "center";
    for (let k = 0; k <= 5; k++) map.fillText(Math.round((k / 5) * (means.length - 1)), x((k / 5) * (means.length - 1)), height - 14);
    map.strokeStyle = ink("line");
    map.strokeRect(left, 8, width - left - 10, height - bottom - 8);
    map.strokeStyle = map.fillStyle = "#e66101";
    map.lineWidth = 2;
    map.beginPath();
    logs.forEach((log, lag) => map.lineTo(x(lag), y(log)));
    map.stroke();
  },
};

// Mean |influence| by the number of steps between, over predictions spread over the later half of the steps.
function byLag(network, pass) {
  const last = pass.steps - 1, first = Math.floor(pass.steps / 2), count = pass.output.rows > 1 ? Math.min(PREDICTIONS, last - first + 1) : 1;
  const sums = new Float64Array(first + 1);
  for (let j = 0; j < count; j++) {
    const t = count === 1 ? last : first + Math.round((j * (last - first)) / (count - 1)), found = network.influence(pass, t, app.answerOf(t));
    for (let lag = 0; lag <= Math.min(first, t); lag++) sums[lag] += Math.abs(found[t - lag]) / count;
  }
  return sums;
}
