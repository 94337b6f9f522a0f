// Drawing: colours that a colour-blind person can tell apart, heat maps of units by steps, bars and curves.

const AXIS = 64; // pixels on the left
const BLUE = "#3f7fbf", ORANGE = "#e66101";
const GATE = [[0, 34, 78], [76, 85, 108], [142, 137, 120], [217, 197, 92], [254, 232, 56]]; // dark blue to yellow
const isDark = () => window.matchMedia("(prefers-color-scheme: dark)").matches;
const signed = () => [[5, 113, 176], isDark() ? [34, 38, 43] : [247, 247, 247], [230, 97, 1]];
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
const widthOf = (steps) => Math.max(8, Math.min(44, Math.floor((app.room - AXIS) / steps))); // pixels of a column

// The colour [r, g, b] of a value from low to high.
function colour(stops, value, low, high) {
  const place = Math.min(Math.max((value - low) / (high - low || 1), 0), 1) * (stops.length - 1), k = Math.min(Math.floor(place), stops.length - 2);
  return stops[k].map((a, channel) => Math.round(a + (stops[k + 1][channel] - a) * (place - k)));
}

// The background of a piece of text, with letters that can be read on it.
function paint(piece, [r, g, b]) {
  Object.assign(piece.style, { background: `rgb(${r},${g},${b})`, color: 0.3 * r + 0.6 * g + 0.1 * b > 128 ? "#000" : "#fff" });
}

// What the colours from low to high mean.
function legend(place, low, stops, high) {
  place.append(` ${short(low)} `);
  element(place, "i", "ramp").style.background = `linear-gradient(90deg, ${stops.map((stop) => `rgb(${stop})`)})`;
  place.append(` ${short(high)}`);
}

// A canvas of this size in CSS pixels, sharp on every screen.
function canvas(width, height) {
  const made = document.createElement("canvas"), ratio = window.devicePixelRatio || 1;
  Object.assign(made, { width: width * ratio, height: height * ratio });
  resize(made, 0, 0, width, height);
  const context = made.getContext("2d");
  context.scale(ratio, ratio);
  Object.assign(context, { font: "11px ui-monospace, monospace", fillStyle: app.ink, strokeStyle: app.ink, textBaseline: "middle" });
  return [made, context];
}

function resize(made, left, top, width, height) {
  Object.assign(made.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  return made;
}

// A caption, an axis that stays in view, and beside it a map; a click on that tells its step and height.
function panel(place, caption, map, height, width, drawAxis, onPick) {
  const title = element(place, "div", "caption", caption), box = element(place, "div", "map"), [axis, context] = canvas(AXIS, height);
  box.append(axis, map);
  context.textAlign = "right";
  drawAxis(context);
  map.addEventListener("click", (event) => {
    const corner = map.getBoundingClientRect();
    onPick(Math.floor((event.clientX - corner.left) / width), event.clientY - corner.top);
  });
  return title;
}

// A panel whose map is drawn by lines and letters.
function drawing(place, caption, steps, height, drawAxis, drawMap, onPick) {
  const width = widthOf(steps), [map, context] = canvas(steps * width, height);
  drawMap(context, width);
  panel(place, caption, map, height, width, drawAxis, onPick);
}

// Rows of `rows` (unit numbers, or names by `labels`), a column a step: columns[t][row]. chosen: {step, row} to be framed.
function heatMap(place, { caption, rows, columns, stops, low, high, labels, chosen, onPick }) {
  const size = Math.max(2, Math.min(16, Math.floor(180 / rows.length))), steps = columns.length, width = widthOf(steps);
  const map = document.createElement("div"), whole = [steps * width, size * rows.length], every = Math.ceil(11 / size);
  resize(map, 0, 0, ...whole).append(resize(cells(columns, rows, stops, low, 255 / (high - low || 1)), 0, 0, ...whole));
  resize(element(map, "b"), chosen.step * width, 0, width, whole[1]);
  const at = rows.indexOf(chosen.row);
  if (at >= 0) resize(element(map, "b"), 0, at * size, whole[0], size);
  const title = panel(place, caption, map, whole[1], width, (axis) => rows.forEach((unit, y) => {
    const middle = (y + 0.5) * size;
    axis.fillStyle = y === at ? ORANGE : app.ink;
    const isShown = y === at || (y % every === 0 && middle >= 5 && Math.abs(y - at) >= every);
    if (isShown) axis.fillText(labels ? visible(labels[unit]).slice(0, 9) : unit, AXIS - 6, Math.max(6, middle));
  }), (t, y) => onPick(t, rows[Math.floor(y / size)]));
  legend(title, low, stops, high);
}

// A canvas with one pixel a value; the browser enlarges it.
function cells(columns, rows, stops, low, scale) {
  const image = new ImageData(columns.length, rows.length), pixels = new Uint32Array(image.data.buffer);
  const table = Uint32Array.from({ length: 256 }, (_, k) => colour(stops, k, 0, 255).reduceRight((all, byte) => all * 256 + byte, 255));
  columns.forEach((column, t) => {
    for (let y = 0, at = t; y < rows.length; y++, at += columns.length) {
      pixels[at] = table[Math.max(0, Math.min(255, ((column[rows[y]] - low) * scale) | 0))];
    }
  });
  const made = Object.assign(document.createElement("canvas"), { width: columns.length, height: rows.length });
  made.getContext("2d").putImageData(image, 0, 0);
  return made;
}

// A label a column, where it has one; upright where they do not fit side by side. above: they stand on what is below.
function stepAxis(place, labels, { step, above, every = 1, onPick = () => {} }) {
  const shown = labels.map((label) => visible(label).slice(0, 12)), longest = Math.max(...shown.map((label) => label.length));
  const turned = longest * 7 > widthOf(labels.length) * every, height = turned ? 9 + 7 * longest : 18;
  drawing(place, "", labels.length, height, () => {}, (map, width) => {
    map.textAlign = turned ? (above ? "left" : "right") : "center";
    shown.forEach((label, t) => {
      map.save();
      map.translate((t + 0.5) * width, turned ? (above ? height - 4 : 4) : height / 2);
      if (turned) map.rotate(-Math.PI / 2);
      map.fillText(label, 0, 0);
      map.restore();
    });
    map.strokeRect(step * width + 0.5, 0.5, width - 1, height - 1);
  }, onPick);
}

// Round numbers from low to high, some four, no nearer than `least`.
function ticks(low, high, least) {
  const rough = (high - low) / 4 || 1, power = 10 ** Math.floor(Math.log10(rough));
  const by = Math.max(least, power * [1, 2, 5, 10].find((factor) => factor * power >= rough)), first = Math.ceil(low / by);
  return Array.from({ length: Math.floor(high / by + 1e-9) - first + 1 }, (_, k) => (first + k) * by);
}

// Numbers over steps as bars, curves or dots, {values, kind, colour}, over grey lines at round numbers; values may lack (null).
function plot(place, caption, lines, { step, onPick, height = 130, spell = short, from = Infinity, least = 0 }) {
  const all = lines.flatMap(({ values }) => values.filter((value) => value !== null)), steps = lines[0].values.length;
  const low = Math.min(from, ...all), high = Math.max(...all), y = (value) => height - 8 - ((value - low) / (high - low || 1)) * (height - 16);
  const marks = ticks(low, high, least);
  drawing(place, caption, steps, height, (axis) => marks.forEach((value) => axis.fillText(spell(value), AXIS - 6, y(value))), (map, width) => {
    map.fillStyle = ink("line");
    marks.forEach((value) => map.fillRect(0, Math.round(y(value)), steps * width, 1));
    lines.forEach((line) => {
      map.strokeStyle = line.colour;
      map.lineWidth = 2;
      map.beginPath();
      line.values.forEach((value, t) => {
        map.fillStyle = t === step ? ORANGE : line.colour;
        if (value === null) return;
        if (line.kind === "bars") map.fillRect(t * width + 1, y(value), width - 2, y(low) - y(value));
        else if (line.kind === "dots") map.fillRect((t + 0.5) * width - 2.5, y(value) - 2.5, 5, 5);
        else map.lineTo((t + 0.5) * width, y(value));
      });
      map.stroke();
    });
  }, onPick);
}

// A number in few characters.
function short(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e4)) return value.toExponential(1).replace(".0e", "e");
  return String(Number(value.toPrecision(3)));
}

function element(place, tag, className = "", text = "") {
  const made = Object.assign(document.createElement(tag), { className, textContent: text });
  place.append(made);
  return made;
}
