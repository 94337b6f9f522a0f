// Cells: the units that tell a feature apart, as they were found when the page was written.

const CELLS = {
  show() {
    const place = byId("cells-list"), { features } = app.network.data;
    showCell("cells");
    place.replaceChildren();
    if (!features.length) element(place, "p", "", say("noCells"));
    const table = element(place, "table");
    for (const { name, units } of features) {
      const line = element(table, "tr");
      element(line, "th", "", name[app.language]);
      const cells = element(line, "td");
      for (const [layer, unit, score] of units) {
        const several = app.network.cells.length > 1, button = element(cells, "button", "", `${several ? `${layer} ` : ""}${unit}: ${score.toFixed(2)}`);
        Object.assign(button, { type: "button", title: `${layer}, ${say("unit")} ${unit}`, onclick: () => app.chooseUnit(layer, unit) });
        button.setAttribute("aria-pressed", layer === app.node.name && unit === app.unit);
        paint(button, colour(signed(), score, -1.3, 1.3));
      }
    }
  },
};
