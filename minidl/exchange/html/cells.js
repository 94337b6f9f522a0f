// Cells: the units that tell a feature apart, as they were found when the page was written.

const CELLS = {
  show() {
    const place = byId("cells-list"), { features } = app.network.data;
    place.replaceChildren();
    showSymbols("cells-symbols", app.symbols, (t) => cellColour(app.node, app.pass, app.unit, t));
    if (!features.length) element(place, "p", "", say("noCells"));
    const table = element(place, "table");
    for (const { name, units } of features) {
      const line = element(table, "tr");
      element(line, "th", "", name[app.language]);
      const cells = element(line, "td");
      for (const [layer, unit, score] of units) {
        const button = element(cells, "button", "", `${layer} ${unit}: ${score.toFixed(2)}`);
        button.type = "button";
        button.setAttribute("aria-pressed", layer === app.node.name && unit === app.unit);
        button.addEventListener("click", () => app.chooseUnit(layer, unit));
      }
    }
  },
};
