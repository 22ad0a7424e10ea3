"use strict";
// Tables that sort, filter and unfold from packed rows; charts that are drawn when they come into view.
(() => {
  const FACETS = ["framework", "workload", "device", "threads"];
  const CHUNK = 500; // rows that one unfolding adds
  const left = Object.fromEntries(FACETS.map((name) => [name, new Set()])); // values filtered out, as text
  const texts = new Map(); // element -> promise of what is packed in it
  const tables = [];

  function unpack(element) {
    if (!texts.has(element)) {
      const bytes = Uint8Array.from(atob(element.textContent), (letter) => letter.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
      texts.set(element, new Response(stream).text());
    }
    return texts.get(element);
  }

  const unpackData = async (element) => JSON.parse(await unpack(element));

  function make(tag, text, attributes = {}) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }

  // -------------------------------------------------------------------------- cells, as views.py has them

  function number(value) {
    if (Math.abs(value) >= 999.5) {
      const whole = Math.abs(value % 1) === 0.5 ? 2 * Math.round(value / 2) : Math.round(value);
      return whole.toLocaleString("en-US");
    }
    const [digits, power] = value.toExponential(60).split("e"); // long enough to tell a tie, which goes to the even digit
    const tie = /^(-?\d\.\d[02468])50*$/.exec(digits);
    const even = tie ? Number(`${tie[1]}e${power}`) : value;
    const [short, exponent] = even.toExponential(2).split("e");
    return Number(exponent) < -4 ? `${short}e-${exponent.slice(1).padStart(2, "0")}` : even.toPrecision(3);
  }

  function textOf(value, kind) {
    if (value === null || value === undefined || value === "") return "-";
    if (typeof value === "boolean") return value ? "yes" : "no";
    return kind === "number" ? number(value) : String(value);
  }

  const isRich = (value) => value !== null && typeof value === "object";
  const sortable = (value) => (isRich(value) ? value.v ?? value.t ?? value.l?.[0]?.[0] ?? null : value ?? null);

  function fill(cell, value, kind) {
    if (!isRich(value)) cell.textContent = textOf(value, kind);
    else {
      if ("t" in value) cell.append(textOf(value.t, "words"));
      else if (!value.l) cell.append(textOf(value.v, kind));
      (value.l ?? []).forEach(([words, address], place) => cell.append(place ? " " : "", make("a", words, { href: address })));
    }
    if (kind !== "words") cell.className = "n";
    return cell;
  }

  const words = new Intl.Collator("en", { numeric: true });
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : words.compare(String(a), String(b));
  const chosen = (facets) => facets.every((value, place) => value === null || !left[FACETS[place]].has(String(value)));
  const filtering = () => FACETS.some((name) => left[name].size);

  // -------------------------------------------------------------------------- tables

  class Table {
    constructor(root, kinds, lines) {
      Object.assign(this, { root, kinds, lines, column: null, descending: false });
      this.body = root.querySelector("tbody");
      this.shown = this.first = Math.max(this.body.rows.length, 25);
      this.status = root.querySelector(".more");
      this.total = Number(root.dataset.rows);
      this.button = make("button", "", { type: "button" });
      this.button.addEventListener("click", () => this.unfold(this.shown + CHUNK));
      this.status.after(this.button);
      root.querySelectorAll("thead th").forEach((header, place) => {
        const button = make("button", header.textContent, { type: "button" });
        button.addEventListener("click", () => this.sort(place));
        header.replaceChildren(button);
      });
      this.say(this.total);
      tables.push(this);
    }

    say(matching) {
      const shown = Math.min(this.shown, matching);
      this.status.textContent = `${shown} of ${matching} rows` + (filtering() ? ` chosen by the filters` : "");
      this.button.textContent = `Show ${Math.min(CHUNK, matching - shown)} more`;
      this.button.hidden = shown >= matching;
    }

    sort(place) {
      this.descending = this.column === place && !this.descending;
      this.column = place;
      this.root.querySelectorAll("thead th").forEach((header, other) => {
        if (other === place) header.setAttribute("aria-sort", this.descending ? "descending" : "ascending");
        else header.removeAttribute("aria-sort");
      });
      return this.render();
    }

    unfold(count) {
      this.shown = count;
      return this.render();
    }

    async render() {
      const found = (await this.lines()).filter((line) => chosen(line[1]));
      if (this.column !== null) {
        const sign = this.descending ? -1 : 1;
        const keyed = found.map((line) => [sortable(line[2][this.column]), line]);
        keyed.sort(([a], [b]) => (a === null) - (b === null) || (a === null ? 0 : sign * compare(a, b)));
        keyed.forEach(([, line], place) => (found[place] = line));
      }
      this.body.replaceChildren(...found.slice(0, this.shown).map((line) => this.row(line)));
      this.say(found.length);
    }

    row([id, , cells]) {
      const row = make("tr");
      if (id) row.id = id;
      cells.forEach((value, place) => {
        const cell = place ? make("td") : make("th", undefined, { scope: "row" });
        row.append(fill(cell, value, this.kinds[place]));
      });
      return row;
    }

    async reveal(id) {
      const place = (await this.lines()).filter((line) => chosen(line[1])).findIndex((line) => line[0] === id);
      if (place < 0) return false;
      this.column = null;
      this.root.querySelectorAll("[aria-sort]").forEach((header) => header.removeAttribute("aria-sort"));
      await this.unfold(Math.max(this.shown, place + 1));
      return true;
    }
  }

  function standing(root) {
    const packed = root.querySelector(".packed");
    return new Table(root, root.dataset.kinds.split(" "), () => unpackData(packed));
  }

  async function behind(details) {
    const headers = JSON.parse(details.dataset.columns);
    const columns = headers.map(([name]) => name);
    const rows = await unpackData(document.getElementById(details.dataset.behind));
    const lines = rows.map((row) => ["", FACETS.map((name) => row[name] ?? null), columns.map((name) => row[name] ?? null)]);
    const kinds = columns.map((name) => {
      const values = rows.map((row) => row[name]).filter((value) => value !== null && value !== undefined);
      if (!values.length || values.some((value) => typeof value !== "number")) return "words";
      return values.every(Number.isInteger) ? "count" : "number";
    });
    const root = make("div", undefined, { class: "table", "data-rows": rows.length });
    const box = make("div", undefined, { class: "box", role: "region", tabindex: "0", "aria-label": `Rows: ${details.dataset.caption}` });
    const table = make("table");
    const head = make("tr");
    headers.forEach(([, words], place) => {
      head.append(make("th", words, { scope: "col", class: kinds[place] === "words" ? "" : "n" }));
    });
    const caption = make("caption");
    caption.append(make("span", details.dataset.caption));
    table.append(caption, make("thead"), make("tbody"));
    table.tHead.append(head);
    box.append(table);
    root.append(box, make("p", "", { class: "more", role: "status" }));
    details.append(root);
    await new Table(root, kinds, async () => lines).render();
  }

  // -------------------------------------------------------------------------- charts

  let vega = null;
  const drawn = new Map(); // chart -> what vega-embed made of it, or will
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function theme() {
    const style = getComputedStyle(document.documentElement);
    const [ink, faint, line] = ["--ink", "--faint", "--line"].map((name) => style.getPropertyValue(name).trim());
    const words = { labelColor: faint, titleColor: ink };
    return {
      background: "transparent",
      font: style.fontFamily,
      axis: { ...words, gridColor: line, domainColor: faint, tickColor: faint },
      legend: words,
      header: words,
      title: { color: ink, subtitleColor: faint },
      text: { color: ink },
      rule: { color: ink },
      view: { stroke: line },
    };
  }

  async function draw(chart) {
    if (drawn.has(chart)) return;
    const own = { view: null };
    drawn.set(chart, own);
    vega ??= unpack(document.getElementById("vega")).then((program) => (0, eval)(program));
    const figure = chart.closest("figure");
    const spec = await unpackData(figure.querySelector(".packed"));
    const rows = await unpackData(document.getElementById(figure.querySelector("[data-behind]").dataset.behind));
    spec.datasets = { rows: rows.filter((row) => chosen(FACETS.map((facet) => row[facet] ?? null))) };
    await vega;
    const options = { actions: false, logLevel: 1, renderer: "svg", config: theme(), tooltip: { theme: dark.matches ? "dark" : "light" } };
    const place = make("div");
    own.view = await window.vegaEmbed(place, spec, options);
    if (drawn.get(chart) !== own) return own.view.finalize(); // a filter has asked for another meanwhile
    chart.replaceChildren(place);
    chart.setAttribute("role", "img");
    chart.querySelector("svg").setAttribute("aria-hidden", "true"); // one picture, with a label and a table: no marks
    chart.setAttribute("aria-label", `${figure.querySelector("figcaption").textContent} The rows behind it follow.`);
  }

  const observer = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => draw(entry.target)),
    { rootMargin: "300px" },
  );

  function redraw() {
    for (const [chart, own] of drawn) {
      own.view?.finalize();
      drawn.delete(chart);
      observer.unobserve(chart);
      observer.observe(chart); // reports at once whether it is in view
    }
  }

  // -------------------------------------------------------------------------- filters and links

  const form = document.getElementById("filters");

  function filter() {
    for (const name of FACETS) {
      const boxes = [...form.querySelectorAll(`input[name="${name}"]`)];
      left[name] = new Set(boxes.filter((box) => !box.checked).map((box) => box.value));
      const words = form.querySelector(`[data-chosen="${name}"]`);
      if (words) words.textContent = left[name].size ? `${boxes.length - left[name].size} of ${boxes.length}` : "all";
    }
    for (const element of document.querySelectorAll("article, figure")) {
      const values = FACETS.map((name) => element.getAttribute(`data-facet-${name}`));
      element.hidden = !chosen(values);
    }
    redraw();
    return Promise.all(tables.map((table) => table.render()));
  }

  async function follow() {
    const id = decodeURIComponent(location.hash.slice(1));
    if (!id) return;
    const found = async () => {
      for (const table of document.getElementById(id) ? [] : [...tables]) if (await table.reveal(id)) break;
      return document.getElementById(id);
    };
    let target = await found();
    if (!target && filtering()) {
      form.reset();
      await filter();
      target = await found();
    }
    if (!target) return;
    for (let parent = target.closest("details"); parent; parent = parent.parentElement.closest("details")) parent.open = true;
    document.querySelectorAll(".target").forEach((other) => other.classList.remove("target"));
    target.classList.add("target");
    for (let turn = 0; turn < 4; turn++) { // what comes into view on the way is laid out, and moves the target
      target.scrollIntoView({ block: target.matches("tr") ? "center" : "start" });
      await new Promise(requestAnimationFrame);
    }
  }

  async function print() {
    document.documentElement.classList.add("paper"); // charts have the colours of paper, whatever the scheme
    redraw();
    for (const chart of document.querySelectorAll("[data-chart]")) await draw(chart);
    window.print();
    document.documentElement.classList.remove("paper");
    if (dark.matches) redraw();
  }

  document.querySelectorAll("[data-table]").forEach(standing);
  document.querySelectorAll("[data-chart]").forEach((chart) => observer.observe(chart));
  document.querySelectorAll("[data-behind]").forEach((details) => {
    details.addEventListener("toggle", () => details.open && !details.querySelector("table") && behind(details));
  });
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", filter);
  form.querySelectorAll("[data-set]").forEach((button) => {
    button.addEventListener("click", () => {
      form.querySelectorAll(`input[name="${button.dataset.set}"]`).forEach((box) => (box.checked = button.dataset.to === "all"));
      filter();
    });
  });
  document.getElementById("print").addEventListener("click", print);
  dark.addEventListener("change", redraw);
  addEventListener("hashchange", follow);
  follow();
})();
