// What an operator sees: rates, the queue, outcomes, and the stock as it drains.

import { ask } from "./api.js";
import { byId, el, svg, whileSeen, write } from "./dom.js";
import { goods, left, onChange, whole } from "./goods.js";
import * as words from "./words.js";

const SPAN_MS = 120_000;
const SPAN_LEAST_MS = 20_000;
const POINTS = 60;
const TILES = [
  ["accepted", "Accepted / s"],
  ["refused", "Refused / s"],
  ["settled", "Settled / s"],
  ["depth", "In the queue"],
  ["age", "The oldest waits"],
  ["letters", "Dead letters"],
];

const tiles = new Map();
let before = null;
let seen = false;
let measured = true;

/** Samples of the Prometheus text format: [name, labels, value]. */
export function* samples(text) {
  for (const line of text.split("\n")) {
    const found = /^([a-z_]+)(?:\{(.*)\})? ([0-9.e+-]+)$/.exec(line);
    if (!found) continue;
    const labels = [...(found[2] ?? "").matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]);
    yield [found[1], Object.fromEntries(labels), Number(found[3])];
  }
}

function count(text) {
  const now = { at: performance.now(), accepted: 0, refused: 0, settled: 0, outcomes: new Map() };
  const note = (kind, code, n) => {
    if (n) now.outcomes.set(`${kind} ${code}`, { kind, code, n });
  };
  for (const [name, labels, n] of samples(text)) {
    if (name === "doorbuster_accepted_total") now.accepted += n;
    if (name === "doorbuster_edge_refusals_total") {
      now.refused += n;
      note("door", labels.reason, n);
    }
    if (name === "doorbuster_outcomes_total") {
      now.settled += n;
      note("ledger", labels.reason || labels.status, n);
    }
  }
  return now;
}

async function measure() {
  const { data } = await ask("GET", "/metrics");
  const now = count(data);
  if (before) {
    const seconds = (now.at - before.at) / 1_000;
    for (const name of ["accepted", "refused", "settled"]) {
      tile(name, words.count(Math.round(Math.max(0, now[name] - before[name]) / seconds)), true);
    }
  }
  before = now;
  drawOutcomes(now.outcomes);
}

async function queue() {
  const { data } = await ask("GET", "/api/v1/async/queue/status");
  tile("depth", words.count(data.depth), true);
  tile("age", data.oldestAgeSeconds ? words.ms(data.oldestAgeSeconds * 1_000) : "0 s");
  tile("letters", words.count(data.deadLetters));
}

async function look() {
  // A process that collects no metrics, or a proxy that keeps them from strangers, is asked once.
  if (measured) {
    await measure().catch(({ status }) => {
      measured = ![401, 403, 404].includes(status);
      if (!measured) write(byId("counter-note"), "The metrics of this instance are not shown to this page.");
    });
  }
  await queue().catch(() => ["depth", "age", "letters"].forEach((name) => tile(name, "–")));
  drawStock();
}

/** Writes a figure; `line` also draws its last minute. */
function tile(name, text, line = false) {
  const { figure, spark, values } = tiles.get(name);
  write(figure, text);
  if (!line) return;
  values.push(Number(text.replaceAll(",", "")));
  if (values.length > POINTS) values.shift();
  const most = Math.max(...values, 1);
  const points = values.map((n, i) => `${100 - 100 * (values.length - 1 - i) / (POINTS - 1)},${23 - 22 * n / most}`);
  spark.replaceChildren(svg("polyline", { points: points.join(" ") }));
}

const KINDS = { door: "at the door", ledger: "in the books" };

function drawOutcomes(outcomes) {
  const rows = [...outcomes.values()].sort((a, b) => b.n - a.n);
  const most = Math.max(1, ...rows.map(({ n }) => n));
  byId("outcomes").replaceChildren(...rows.map(({ kind, code, n }) => {
    const good = code === "CONFIRMED" || code === "FULFILLED";
    const bar = el("span", { cls: good ? "share good" : "share" });
    bar.style.width = `${(100 * n) / most}%`;
    return el("tr", { "data-code": code, "data-kind": kind },
      el("th", { scope: "row" },
        el("span", { text: code === "CONFIRMED" ? "sold" : code in { RESERVED: 1, PARKED: 1 } ? words.state(code) : words.reason(code) }),
        el("small", { text: good ? "" : KINDS[kind] })),
      el("td", {}, el("div", {}, bar, el("span", { cls: "n", text: words.count(n) }))));
  }));
  if (!rows.length) byId("outcomes").replaceChildren(el("tr", {}, el("td", { cls: "note", text: "Nothing has happened yet." })));
}

const watched = () => goods.get(Number(byId("watched").value));

/** Units left over time, as steps: stock changes at moments, not in between. */
function drawStock() {
  const product = watched();
  if (!product || !seen) return;
  const [now, most] = [Date.now(), Math.max(whole(product), 1)];
  const span = Math.min(SPAN_MS, Math.max(SPAN_LEAST_MS, now - product.history[0][0]));
  write(byId("drain-from"), `${Math.round(span / 1_000)} s ago`);
  const x = (at) => Math.max(0, 600 - (600 * (now - at)) / span).toFixed(1);
  const y = (n) => (156 - 150 * Math.min(1, n / most)).toFixed(1);
  let path = "";
  let last = null;
  for (const [at, n] of product.history) {
    if (last !== null && n === last) continue;
    path += path ? `H${x(at)}V${y(n)}` : `M${x(at)} ${y(n)}`;
    last = n;
  }
  path += "H600";
  const from = x(product.history[0][0]);
  byId("drain").replaceChildren(
    svg("line", { class: "rule", x1: 0, x2: 600, y1: 6, y2: 6 }),
    svg("line", { class: "rule", x1: 0, x2: 600, y1: 156, y2: 156 }),
    svg("path", { class: "area", d: `${path}V156H${from}Z` }),
    svg("path", { class: "line", d: path }));
  write(byId("watched-now"), `${words.count(left(product))} of ${words.count(whole(product))} left`);
}

function list() {
  const select = byId("watched");
  for (const { id, name, sale } of goods.values()) {
    if (select.querySelector(`[value="${id}"]`)) continue;
    const option = el("option", { text: name, value: id });
    select.append(option);
    if (sale?.status === "live" && !select.dataset.chosen) {
      select.value = id;
      select.dataset.chosen = "yes";
    }
  }
}

export function start() {
  for (const [name, said] of TILES) {
    const [figure, spark] = [el("dd", { text: "–" }), svg("svg", { viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true" })];
    const box = el("div", { "data-tile": name }, el("dt", { text: said }), figure);
    if (["accepted", "refused", "settled", "depth"].includes(name)) box.append(spark);
    byId("tiles").append(box);
    tiles.set(name, { figure, spark, values: [] });
  }
  onChange((product) => {
    if (product === null) list();
    if (product === null || product === watched()) drawStock();
  });
  byId("watched").addEventListener("change", drawStock);
  new IntersectionObserver(([entry]) => {
    seen = entry.isIntersecting;
    if (!seen) before = null;
  }).observe(byId("counter"));
  whileSeen(1_000, look, () => seen);
}
