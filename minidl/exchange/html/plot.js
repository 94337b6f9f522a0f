// Drawing: colours that a colour-blind person can tell apart, heat maps of units by steps, bars and curves.

const COLUMN = 10, AXIS = 76; // pixels: the width of a step, and of the axis on the left
const GATE = [[0, 34, 78], [33, 59, 110], [76, 85, 108], [108, 110, 114], [142, 137, 120], [178, 165, 112], [217, 197, 92], [254, 232, 56]];
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
function panel(place, caption, width, height, drawAxis, drawMap, onPick) {
  const title = element(place, "div", "caption", caption), box = element(place, "div", "map");
  const [axis, axisContext] = canvas(AXIS, height), [map, mapContext] = canvas(width, height);
  box.append(axis, map);
  axisContext.textAlign = "right";
  drawAxis(axisContext);
  drawMap(mapContext);
  map.addEventListener("click", (event) => onPick(Math.floor(event.offsetX / COLUMN), event.offsetY));
  return title;
}

// Rows of `rows` (unit numbers, or names by `labels`), a column a step. value(t, row); chosen: {step, row} to be framed.
function heatMap(place, { caption, steps, rows, value, stops, low, high, labels, chosen, onPick }) {
  const size = Math.max(2, Math.min(14, Math.floor(160 / rows.length))), height = size * rows.length;
  const image = new ImageData(steps, rows.length), table = Array.from({ length: 256 }, (_, k) => colour(stops, k, 0, 255));
  rows.forEach((unit, y) => {
    for (let t = 0; t < steps; t++) {
      const level = Math.round((255 * (value(t, unit) - low)) / (high - low || 1)), at = 4 * (y * steps + t);
      const [r, g, b] = table[Math.min(Math.max(level, 0), 255)];
      image.data.set([r, g, b, 255], at);
    }
  });
  const small = document.createElement("canvas"), every = Math.ceil(11 / size);
  Object.assign(small, { width: steps, height: rows.length });
  small.getContext("2d").putImageData(image, 0, 0);
  const title = panel(place, caption, steps * COLUMN, height,
    (axis) => rows.forEach((unit, y) => { if (y % every === 0) axis.fillText(labels ? labels[unit].slice(0, 10) : unit, AXIS - 6, (y + 0.5) * size); }),
    (map) => {
      map.imageSmoothingEnabled = false;
      map.drawImage(small, 0, 0, steps * COLUMN, height);
      const y = rows.indexOf(chosen.row);
      map.strokeRect(chosen.step * COLUMN + 0.5, 0.5, COLUMN - 1, height - 1);
      if (y >= 0) map.strokeRect(0.5, y * size - 0.5, steps * COLUMN - 1, size + 1);
    },
    (t, y) => onPick(t, rows[Math.floor(y / size)]));
  legend(title, stops, low, high);
}

function legend(title, stops, low, high) {
  const [bar, context] = canvas(60, 10);
  for (let x = 0; x < 60; x++) {
    context.fillStyle = `rgb(${colour(stops, x, 0, 59)})`;
    context.fillRect(x, 0, 1, 10);
  }
  title.append(" ", short(low), bar, short(high));
}

// The symbols themselves, one a column.
function symbolAxis(place, symbols, chosen, onPick) {
  const write = (map) => {
    map.textAlign = "center";
    symbols.forEach((symbol, t) => map.fillText(visible(symbol).slice(0, 1), (t + 0.5) * COLUMN, 8));
    map.strokeRect(chosen.step * COLUMN + 0.5, 0.5, COLUMN - 1, 15);
  };
  panel(place, "", symbols.length * COLUMN, 16, () => {}, write, onPick);
}

// Bars up from zero, a step each; values may lack (null).
function barMap(place, caption, values, onPick) {
  const top = Math.max(1, ...values.filter((value) => value !== null)), height = 64, scale = (height - 8) / top;
  panel(place, caption, values.length * COLUMN, height,
    (axis) => [0, top].forEach((value) => axis.fillText(short(value), AXIS - 6, height - 6 - value * (scale - 0.05))),
    (map) => values.forEach((value, t) => { if (value !== null) map.fillRect(t * COLUMN + 1, height - value * scale, COLUMN - 2, value * scale); }),
    onPick);
}

// Curves over steps: {values, dots, colour}; values may lack (null).
function curves(place, caption, steps, lines, onPick) {
  const all = lines.flatMap((line) => line.values.filter((value) => value !== null)), height = 150;
  const low = Math.min(...all), high = Math.max(...all), y = (value) => height - 8 - ((value - low) / (high - low || 1)) * (height - 16);
  panel(place, caption, steps * COLUMN, height,
    (axis) => [low, high].forEach((value) => axis.fillText(short(value), AXIS - 6, y(value))),
    (map) => lines.forEach((line) => {
      map.strokeStyle = map.fillStyle = line.colour;
      map.beginPath();
      line.values.forEach((value, t) => {
        if (value === null) return;
        if (line.dots) map.fillRect((t + 0.5) * COLUMN - 2, y(value) - 2, 4, 4);
        else map.lineTo((t + 0.5) * COLUMN, y(value));
      });
      map.stroke();
    }), onPick);
}

const short = (value) => (Math.abs(value) < 0.0005 ? "0" : Math.abs(value) < 0.01 || Math.abs(value) >= 1e4 ? value.toExponential(1) : String(Number(value.toFixed(Math.abs(value) >= 100 ? 0 : 3))));

function element(place, tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  place.append(made);
  return made;
}
