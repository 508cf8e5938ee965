// Draws the charts as they come into view, and answers to pointer and keys.
"use strict";
const assayCharts = (() => {
  const parse = (id) => JSON.parse(document.getElementById(id).textContent);
  const specs = parse("specs");
  const tip = document.getElementById("tip");
  const dot = Object.assign(document.createElement("i"), { className: "dot", hidden: true });
  const hidden = new Set();
  const drawn = new Map(); // figure -> its view, its rows, and how it marks its point again
  let data = parse("curve-data");

  const shown = () => data.runs.filter((run) => !hidden.has(run.key));

  // From columns to rows, for one chart.
  const curveRows = (chart) => {
    const rows = [];
    for (const run of shown()) {
      const { key, name, note, colour } = run;
      for (const [split, field] of Object.entries(data.charts[chart].fields)) {
        const values = run[field] ?? [];
        const alone = values.filter((value) => value !== null).length === 1;
        values.forEach((value, place) => {
          const [low, high] = ["low", "high"].map((end) => run[`${field}_${end}`]?.[place] ?? value);
          if (value !== null) rows.push({ run: key, name, note, colour, split, epoch: run.epochs[place], value, alone, low, high });
        });
      }
    }
    return rows;
  };

  const confusionRows = ({ classes, totals, cells }) =>
    cells.map(([label, answered, images]) => ({
      label: classes[label], answered: classes[answered], images, share: (100 * images) / totals[label],
    }));

  const isCurve = (figure) => !figure.dataset.rows;
  const rowsOf = (figure) => {
    if (isCurve(figure)) return curveRows(figure.dataset.spec);
    const given = parse(figure.dataset.rows);
    return given.cells ? confusionRows(given) : given;
  };

  // The runtime is read as text and run when the first chart comes into view: the page stands before.
  const start = () => {
    if (window.vegaEmbed) return;
    const script = document.createElement("script");
    script.textContent = document.getElementById("runtime").textContent;
    document.head.append(script);
  };

  const draw = async (figure) => {
    start();
    const place = figure.querySelector(".plot");
    const spec = structuredClone(specs[figure.dataset.spec]);
    spec.datasets = { ...spec.datasets, rows: rowsOf(figure) };
    if (figure.dataset.spec.startsWith("confusion")) {
      const { classes } = parse(figure.dataset.rows);
      spec.encoding.x.scale = spec.encoding.y.scale = { domain: classes };
    }
    // The interpreter (ast) lets the page forbid eval.
    const options = { mode: "vega-lite", ast: true, actions: false, renderer: "svg" };
    const [role, label] = [place.getAttribute("role"), place.getAttribute("aria-label")];
    const { view } = await vegaEmbed(place, spec, options);
    place.setAttribute("role", role); // Vega has put its own in their place
    place.setAttribute("aria-label", label);
    place.removeAttribute("aria-roledescription");
    if (!isCurve(figure)) return;
    drawn.set(figure, { view, rows: [], again: answerTo(figure, place, view) });
    fill(figure); // the runs may have gone on, or been hidden, in between
  };

  const fill = async (figure) => {
    const chart = drawn.get(figure);
    chart.rows = rowsOf(figure);
    await chart.view.data("rows", chart.rows).runAsync();
    chart.again();
  };

  const redraw = () => {
    drawn.forEach((_, figure) => fill(figure));
    for (const figure of document.querySelectorAll("figure.curves")) {
      figure.querySelector(".sampled").textContent = data.sampled && `(${data.sampled})`;
      figure.querySelector(".data .scroll")?.remove();
    }
    document.querySelectorAll("figure.curves .data[open]").forEach(tabulate);
  };

  // In pixels from the plot's upper left corner.
  const positionOf = (view, row) => {
    const [x, y] = view.origin(), around = view.padding();
    return [x + around.left + view.scale("x")(row.epoch), y + around.top + view.scale("y")(row.value)];
  };

  const nearestTo = (view, rows, x, y) => {
    let best = null, least = 40 ** 2;
    for (const row of rows) {
      const [px, py] = positionOf(view, row);
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) [best, least] = [row, distance];
    }
    return best;
  };

  const figures = (value) => Number(value.toPrecision(5)).toLocaleString("en");

  // A point of a curve: marked, its run's curves in front, its values beside it.
  const point = (figure, place, row) => {
    const { view } = drawn.get(figure);
    view.signal("pointed", row ? row.run : "").runAsync();
    tip.hidden = dot.hidden = !row;
    if (!row) return;
    const name = document.createElement("b");
    name.textContent = row.name;
    const unit = data.charts[figure.dataset.spec].unit;
    const interval = row.low < row.high ? ` [${figures(row.low)}, ${figures(row.high)}]` : "";
    const words = `${row.split}${row.split && ", "}epoch ${row.epoch}: ${figures(row.value)}${interval} ${unit.length < 6 ? unit : ""}`;
    tip.replaceChildren(name, document.createElement("br"), words);
    if (row.note) tip.append(document.createElement("br"), row.note);
    const box = place.getBoundingClientRect();
    const [px, py] = positionOf(view, row);
    place.append(dot);
    dot.style.cssText = `left:${px}px;top:${py}px;background:${row.colour}`;
    const left = box.left + px + 14, top = box.top + py - tip.offsetHeight - 10;
    tip.style.left = `${Math.max(8, Math.min(left, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${Math.max(8, top)}px`;
  };

  const zoom = (view, factor) => {
    for (const [scale, signal] of [["x", "zoom_epoch"], ["y", "zoom_value"]]) {
      const [low, high] = view.scale(scale).domain();
      const middle = (low + high) / 2, half = (factor * (high - low)) / 2;
      view.signal(signal, factor ? [middle - half, middle + half] : null);
    }
    view.runAsync();
  };

  const curveOf = (row) => `${row.run} ${row.split}`;

  // The same point among rows that were made anew.
  const again = (rows, row) => rows.find((one) => curveOf(one) === curveOf(row) && one.epoch === row.epoch) ?? null;

  const step = (rows, row, along, across) => {
    const curves = [...new Set(rows.map(curveOf))];
    const place = row ? curves.indexOf(curveOf(row)) : -1;
    if (place < 0) return rows[0] ?? null;
    const curve = curves[(place + across + curves.length) % curves.length];
    const points = rows.filter((one) => curveOf(one) === curve);
    const here = points.findLastIndex((one) => one.epoch <= row.epoch);
    return points[Math.max(0, Math.min(here + along, points.length - 1))];
  };

  const MOVES = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
  const ZOOMS = { "+": 0.7, "=": 0.7, "-": 1.43, 0: 0 };

  const answerTo = (figure, place, view) => {
    let current = null;
    const go = (row) => point(figure, place, (current = row));
    const rows = () => drawn.get(figure).rows;
    place.tabIndex = 0;
    place.addEventListener("pointermove", (event) => {
      const box = place.getBoundingClientRect();
      go(nearestTo(view, rows(), event.clientX - box.left, event.clientY - box.top));
    });
    place.addEventListener("pointerleave", () => go(null));
    place.addEventListener("blur", () => go(null));
    place.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key in MOVES) go(step(rows(), current, ...MOVES[event.key]));
      else if (event.key in ZOOMS) zoom(view, ZOOMS[event.key]);
      else if (event.key === "Escape") go(null);
      else return;
      event.preventDefault();
    });
    for (const button of figure.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => zoom(view, Number(button.dataset.zoom)));
    }
    return () => current && go(again(rows(), current));
  };

  // The numbers behind a chart, made when they are asked for.
  const tabulate = (details) => {
    if (!details.open || details.querySelector("table")) return;
    const figure = details.closest("figure");
    const [titles, lines] = isCurve(figure) ? curveTable(figure) : plainTable(rowsOf(figure));
    const table = document.createElement("table");
    table.createCaption().textContent = figure.querySelector("figcaption span").textContent.trim();
    const head = table.createTHead().insertRow();
    for (const title of titles) head.append(Object.assign(document.createElement("th"), { scope: "col", textContent: title }));
    const body = table.createTBody();
    for (const line of lines) {
      const row = body.insertRow();
      for (const value of line) row.insertCell().textContent = typeof value === "number" ? figures(value) : (value ?? "—");
    }
    const scroll = Object.assign(document.createElement("div"), { className: "scroll", tabIndex: 0 });
    scroll.append(table);
    details.append(scroll);
  };

  const plainTable = (rows) => {
    const titles = Object.keys(rows[0] ?? {});
    return [titles, rows.map((row) => titles.map((title) => row[title]))];
  };

  const curveTable = (figure) => {
    const fields = Object.entries(data.charts[figure.dataset.spec].fields);
    const columns = shown().flatMap((run) => fields.filter(([, field]) => run[field]).map(([split, field]) => ({
      title: split ? `${run.name}, ${split}` : run.name, values: new Map(run.epochs.map((epoch, place) => [epoch, run[field][place]])),
    })));
    const epochs = [...new Set(shown().flatMap((run) => run.epochs))].sort((a, b) => a - b);
    return [["epoch", ...columns.map((column) => column.title)],
            epochs.map((epoch) => [epoch, ...columns.map((column) => column.values.get(epoch))])];
  };

  const toggle = (button, on) => {
    button.setAttribute("aria-pressed", String(on));
    hidden[on ? "delete" : "add"](button.dataset.run);
  };

  const buttons = [...document.querySelectorAll("#legend button")];
  buttons.forEach((button) => toggle(button, button.getAttribute("aria-pressed") === "true"));
  for (const button of buttons) {
    button.addEventListener("click", () => {
      toggle(button, button.getAttribute("aria-pressed") !== "true");
      redraw();
    });
  }
  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", () => {
      buttons.forEach((one) => toggle(one, button.dataset.show === "all"));
      redraw();
    });
  }
  document.querySelectorAll(".chart .data").forEach((details) => details.addEventListener("toggle", () => tabulate(details)));

  // One after another, so that the page answers in between.
  let queue = Promise.resolve();
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watcher.unobserve(entry.target);
      queue = queue.then(() => draw(entry.target)).catch(console.error).then(() => new Promise((go) => setTimeout(go)));
    }
  }, { rootMargin: "150px" });
  document.querySelectorAll("figure.chart").forEach((figure) => watcher.observe(figure));

  // For a page that goes on: new numbers for the curves, as they stand in #curve-data.
  const update = (fresh) => {
    data = fresh;
    redraw();
  };
  return { update };
})();
