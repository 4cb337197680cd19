// Buying, both ways, and what became of it.

import { ask, attempt, Problem } from "./api.js";
import { buyer } from "./account.js";
import { byId, el, say, sleep, write } from "./dom.js";
import * as words from "./words.js";

const SHOWN_MAX = 30;
const STREAMS_MAX = 2;
const WAYS = { async: "asynchronous", sync: "synchronous" };

const times = { async: [], sync: [] };
const tellers = new Set();
let streams = 0;

/** Calls `act({product, outcome, good, code})` when there is news of a purchase; `good` is null while it is open. */
export const onOutcome = (act) => tellers.add(act);

/** Buys, and shows how it went. */
export async function buy(product, quantity, way, pass) {
  const userId = buyer();
  if (userId === null) return;
  const entry = show(product, quantity, way);
  const began = performance.now();
  const since = () => performance.now() - began;
  const headers = { "idempotency-key": attempt() };
  if (pass) headers["x-queue-pass"] = pass;
  try {
    const body = { productId: product.id, quantity, userId };
    const { status, data } = await ask("POST", `/api/v1/${way}/purchase`, { body, headers, signed: true });
    entry.acknowledged = since();
    entry.trackingId = data.trackingId;
    entry.status = data.status;
    if (status === 202) {
      draw(entry);
      const last = await follow(data.links, (news) => {
        entry.status = news.status;
        draw(entry);
      });
      entry.status = last.status;
      entry.reason = last.reason;
      entry.paid = last.totalPrice;
    } else {
      entry.paid = data.totalPrice;
    }
    entry.final = since();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    entry.acknowledged ??= since();
    entry.final = since();
    entry.problem = problem;
    entry.trackingId ??= problem.details.trackingId;
    entry.status = "REJECTED";
    entry.reason = problem.code;
  }
  if (entry.status === "CONFIRMED") times[way].push(entry);
  draw(entry, true);
  compare();
}

const decided = ({ status, terminal }) => terminal || status === "CONFIRMED";

/** Follows a purchase until it is confirmed or over: as a stream, else by asking. */
export function follow(links, told) {
  return streams < STREAMS_MAX ? stream(links, told) : poll(links, told);
}

function stream(links, told) {
  streams += 1;
  return new Promise((done) => {
    const source = new EventSource(links.events);
    const end = (result) => {
      source.close();
      streams -= 1;
      done(result);
    };
    source.addEventListener("status", ({ data }) => {
      const news = JSON.parse(data);
      told(news);
      if (decided(news)) end(news);
    });
    source.onerror = () => end(poll(links, told));
  });
}

async function poll(links, told) {
  for (;;) {
    let pause = 1;
    try {
      const { data, retryAfter } = await ask("GET", `${links.self}?wait=5`);
      told(data);
      if (decided(data)) return data;
      pause = retryAfter || pause;
    } catch (problem) {
      // Accepted is accepted: whoever cannot be reached now will be later.
      if (problem.status === 404 || problem.status === 400) throw problem;
      pause = problem.retryAfter || pause;
    }
    await sleep(pause * 1_000);
  }
}

function show(product, quantity, way) {
  const parts = {
    what: el("span", { cls: "title", text: `${quantity > 1 ? `${quantity} × ` : ""}${product.name}` }),
    badge: el("span", { cls: "badge" }),
    paid: el("span", { cls: "paid" }),
    bar: el("span", { cls: "spent", "aria-hidden": "true" }, el("span", { cls: "ack" }), el("span", { cls: "rest" })),
    way: el("span", { cls: "way", text: WAYS[way] }),
    timing: el("span", { cls: "timing" }),
    more: el("span", { cls: "more" }),
  };
  const item = el("li", {}, parts.what, parts.badge, parts.bar, parts.way, parts.paid, parts.timing, parts.more);
  byId("bought").prepend(item);
  while (byId("bought").children.length > SHOWN_MAX) byId("bought").lastElementChild.remove();
  byId("mine-none").hidden = true;
  const entry = { product, quantity, way, item, parts, status: "SENDING" };
  entries.unshift(entry);
  entries.length = Math.min(entries.length, SHOWN_MAX);
  draw(entry);
  return entry;
}

const entries = [];

const sentence = (text) => text[0].toUpperCase() + text.slice(1);

function draw(entry, over = false) {
  const { parts, item, product, way } = entry;
  const good = over ? entry.status === "CONFIRMED" || entry.status === "FULFILLED" : null;
  item.dataset.way = way;
  item.dataset.status = entry.status;
  item.dataset.reason = entry.reason ?? "";
  item.dataset.good = good ?? "open";
  const outcome = entry.status === "REJECTED" ? words.reason(entry.reason) : words.state(entry.status);
  write(parts.badge, outcome);
  write(parts.paid, entry.paid && good ? words.money(entry.paid, product.currency) : "");
  const first = entry.acknowledged === undefined ? "" : `acknowledged after ${words.ms(entry.acknowledged)}`;
  const last = entry.final === undefined ? "" : `final after ${words.ms(entry.final)}`;
  write(parts.timing, [way === "async" && !entry.problem ? first : "", last].filter(Boolean).join(" · "));
  const again = entry.problem?.retryAfter ? ` Try again in ${entry.problem.retryAfter} s.` : "";
  parts.more.replaceChildren(...(entry.trackingId
    ? [el("a", { text: entry.trackingId, href: `/api/v1/purchases/${encodeURIComponent(entry.trackingId)}`, "aria-label": `Tracking ID ${entry.trackingId}` })]
    : [el("code", { text: entry.problem?.code ?? "", title: entry.problem?.message ?? "" })]));
  scale();
  const text = good === null ? `${sentence(outcome)} …`
    : good ? `Yours, after ${words.ms(entry.final)}.`
      : `Refused: ${outcome}.${again}`;
  for (const tell of tellers) tell({ product, outcome: text, good, code: entry.problem?.code });
  if (over) say(`${parts.what.textContent}: ${text}`);
}

/** The bars of all rows stand on one scale. */
function scale() {
  const most = Math.max(1, ...entries.map(({ final }) => final ?? 0));
  for (const { parts, acknowledged = 0, final = acknowledged } of entries) {
    parts.bar.children[0].style.width = `${(100 * acknowledged) / most}%`;
    parts.bar.children[1].style.width = `${(100 * (final - acknowledged)) / most}%`;
  }
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Both ways side by side, by what was bought. */
function compare() {
  if (!times.async.length && !times.sync.length) return;
  byId("compare").hidden = false;
  byId("compare").tBodies[0].replaceChildren(...Object.keys(WAYS).map((way) => el("tr", { "data-way": way },
    el("th", { text: WAYS[way], scope: "row" }),
    el("td", { text: words.ms(median(times[way].map((entry) => entry.acknowledged))) }),
    el("td", { text: words.ms(median(times[way].map((entry) => entry.final))) }),
    el("td", { text: times[way].length }))));
}
