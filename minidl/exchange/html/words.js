// What the page says, in English and Spanish: words.json.

function say(key) {
  const { words } = app.network.data;
  return words[key] ? words[key][app.language === "es" ? 1 : 0] : key;
}

// A symbol as it can be seen: no spaces, line breaks or control characters.
function visible(symbol) {
  const shown = { " ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍" };
  return Array.from(symbol, (x) => shown[x] || (/[\p{C}\p{Z}]/u.test(x) ? `U+${x.codePointAt(0).toString(16)}` : x)).join("");
}
