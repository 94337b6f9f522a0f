// Drawing: colours that a colour-blind person can tell apart, heat maps of units by steps, bars and curves.

const AXIS = 76; // pixels on the left
const widthOf = (steps) => Math.max(10, Math.min(26, Math.floor(700 / steps))); // pixels of a column
const GATE = [[0, 34, 78], [76, 85, 108], [142, 137, 120], [217, 197, 92], [254, 232, 56]]; // dark blue to yellow
const isDark = () => window.matchMedia("(prefers-color-scheme: dark)").matches;
const signed = () => [[5, 113, 176], isDark() ? [34, 38, 43] : [247, 247, 247], [230, 97, 1]];
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);

// The colour [r, g, b] of a value from low to high.
function colour(stops, value, low, high) {
  const place = Math.min(Math.max((value - low) / (high - low || 1), 0), 1) * (stops.length - 1), k = Math.min(Math.floor(place), stops.length - 2);
  return stops[k].map((a, channel) => Math.round(a + (stops[k + 1][channel] - a) * (place - k)));
}

// A canvas of this size in CSS pixels, sharp on every screen.
function canvas(width, height, given) {
  const made = given || document.createElement("canvas"), ratio = window.devicePixelRatio || 1;
  Object.assign(made, { width: width * ratio, height: height * ratio });
  Object.assign(made.style, { width: `${width}px`, height: `${height}px` });
  const context = made.getContext("2d");
  context.scale(ratio, ratio);
  Object.assign(context, { font: "11px ui-monospace, monospace", fillStyle: ink("ink"), strokeStyle: ink("ink"), textBaseline: "middle" });
  return [made, context];
}

// A caption, an axis that stays in view, and what is drawn beside it; a click tells its step and height.
function panel(place, caption, steps, height, drawAxis, drawMap, onPick) {
  const width = widthOf(steps);
  const title = element(place, "div", "caption", caption), box = element(place, "div", "map");
  const [axis, axisContext] = canvas(AXIS, height), [map, mapContext] = canvas(steps * width, height);
  box.append(axis, map);
  axisContext.textAlign = "right";
  drawAxis(axisContext);
  drawMap(mapContext, width);
  map.addEventListener("click", (event) => onPick(Math.floor(event.offsetX / width), event.offsetY));
  return title;
}

// Rows of `rows` (unit numbers, or names by `labels`), a column a step. value(t, row); chosen: {step, row} to be framed.
function heatMap(place, { caption, steps, rows, value, stops, low, high, labels, chosen, onPick }) {
  const size = Math.max(2, Math.min(14, Math.floor(160 / rows.length))), height = size * rows.length;
  const image = new ImageData(steps, rows.length), pixels = new Uint32Array(image.data.buffer), scale = 255 / (high - low || 1);
  const table = Uint32Array.from({ length: 256 }, (_, k) => colour(stops, k, 0, 255).reduceRight((all, byte) => all * 256 + byte, 255));
  rows.forEach((unit, y) => {
    for (let t = 0; t < steps; t++) pixels[y * steps + t] = table[Math.min(Math.max(Math.round((value(t, unit) - low) * scale), 0), 255)];
  });
  const small = document.createElement("canvas"), every = Math.ceil(11 / size);
  Object.assign(small, { width: steps, height: rows.length });
  small.getContext("2d").putImageData(image, 0, 0);
  const title = panel(place, caption, steps, height,
    (axis) => rows.forEach((unit, y) => {
      const middle = (y + 0.5) * size;
      if (y % every === 0 && middle >= 5) axis.fillText(labels ? labels[unit].slice(0, 10) : unit, AXIS - 6, middle);
    }),
    (map, width) => {
      map.imageSmoothingEnabled = false;
      map.drawImage(small, 0, 0, steps * width, height);
      const y = rows.indexOf(chosen.row);
      map.strokeRect(chosen.step * width + 0.5, 0.5, width - 1, height - 1);
      if (y >= 0) map.strokeRect(0.5, y * size - 0.5, steps * width - 1, size + 1);
    },
    (t, y) => onPick(t, rows[Math.floor(y / size)]));
  const [bar, context] = canvas(60, 10), ramp = context.createLinearGradient(0, 0, 60, 0);
  stops.forEach((stop, k) => ramp.addColorStop(k / (stops.length - 1), `rgb(${stop})`));
  context.fillStyle = ramp;
  context.fillRect(0, 0, 60, 10);
  title.append(" ", short(low), bar, short(high));
}

// The symbols themselves, one a column; longer ones stand upright.
function symbolAxis(place, symbols, chosen, onPick) {
  const shown = symbols.map((symbol) => visible(symbol).slice(0, 9)), longest = Math.max(...shown.map((symbol) => symbol.length));
  const height = 9 + 7 * longest;
  panel(place, "", symbols.length, height, () => {}, (map, width) => {
    map.textAlign = longest > 1 ? "right" : "center";
    shown.forEach((symbol, t) => {
      map.save();
      map.translate((t + 0.5) * width, longest > 1 ? 4 : height / 2);
      if (longest > 1) map.rotate(-Math.PI / 2);
      map.fillText(symbol, 0, 0);
      map.restore();
    });
    map.strokeRect(chosen.step * width + 0.5, 0.5, width - 1, height - 1);
  }, onPick);
}

// Bars up from zero, a step each; values may lack (null).
function barMap(place, caption, values, onPick) {
  const top = Math.max(1, ...values.filter((value) => value !== null)), height = 64, scale = (height - 12) / top;
  panel(place, caption, values.length, height,
    (axis) => [0, top].forEach((value) => axis.fillText(short(value), AXIS - 6, height - 6 - value * scale)),
    (map, width) => values.forEach((value, t) => map.fillRect(t * width + 1, height - value * scale, width - 2, value * scale)), onPick);
}

// Curves over steps: {values, dots, colour}; values may lack (null).
function curves(place, caption, steps, lines, onPick, spell = short) {
  const all = lines.flatMap((line) => line.values.filter((value) => value !== null)), height = 150;
  const low = Math.min(...all), high = Math.max(...all), y = (value) => height - 8 - ((value - low) / (high - low || 1)) * (height - 16);
  panel(place, caption, steps, height,
    (axis) => [low, high].forEach((value) => axis.fillText(spell(value), AXIS - 6, y(value))),
    (map, width) => lines.forEach((line) => {
      map.strokeStyle = map.fillStyle = line.colour;
      map.beginPath();
      line.values.forEach((value, t) => {
        if (value === null) return;
        if (line.dots) map.fillRect((t + 0.5) * width - 2, y(value) - 2, 4, 4);
        else map.lineTo((t + 0.5) * width, y(value));
      });
      map.stroke();
    }), onPick);
}

// A number in few characters.
function short(value) {
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.01 || size >= 1e4)) return value.toExponential(1);
  return String(Number(value.toFixed(size >= 100 ? 0 : 3)));
}

function element(place, tag, className = "", text = "") {
  const made = Object.assign(document.createElement(tag), { className, textContent: text });
  place.append(made);
  return made;
}
