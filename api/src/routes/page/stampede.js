// A demonstration: a crowd of made-up buyers, sent from this browser. Only where names are believed.

import { ask, attempt } from "./api.js";
import { open } from "./account.js";
import { byId, el, say, sleep, write } from "./dom.js";
import { goods, onChange } from "./goods.js";
import * as words from "./words.js";

/** Requests under way at once: a browser sends no more to one server, and would let the others wait. */
const AT_ONCE = 6;

const watched = () => goods.get(Number(byId("watched").value));

function describe() {
  const product = watched();
  if (!product) return;
  const room = product.sale?.waitingRoom;
  write(byId("stampede-note"), room
    ? `They join the line of ${product.name}, and nobody buys: to see a line, join it after them.`
    : `Each buys one ${product.name}, asynchronously. They take real stock of this shop.`);
}

/** Does `work(i)` for 0..n, some at once. */
async function crowd(n, work) {
  let next = 0;
  const one = async () => {
    while (next < n) {
      const i = next;
      next += 1;
      await work(i);
      byId("stampede-progress").value = (Number(byId("stampede-progress").value) * n + 1) / n;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

/** Sends them, and asks until all who were accepted have their answer. */
async function send(product, n) {
  const name = `crowd-${attempt().slice(0, 6)}`;
  const told = { sent: n, accepted: 0, refused: 0, sold: 0, lost: 0, why: new Map(), waits: [] };
  const because = (where, code) => told.why.set(`${where} ${code}`, (told.why.get(`${where} ${code}`) ?? 0) + 1);
  const open = new Set();
  const began = performance.now();
  await crowd(n, async (i) => {
    const body = { productId: product.id, quantity: 1, userId: `${name}-${i}` };
    const headers = { "idempotency-key": attempt() };
    const asked = performance.now();
    try {
      const { data } = await ask("POST", "/api/v1/async/purchase", { body, headers });
      told.waits.push(performance.now() - asked);
      told.accepted += 1;
      open.add(data.trackingId);
    } catch (problem) {
      told.refused += 1;
      because("at the door", problem.code);
    }
  });
  while (open.size) {
    try {
      const { data } = await ask("POST", "/api/v1/purchases/query", { body: { trackingIds: [...open].slice(0, 500) } });
      for (const { trackingId, status, reason } of data.purchases) {
        if (status === "QUEUED" || status === "PARKED") continue;
        open.delete(trackingId);
        if (status === "CONFIRMED" || status === "FULFILLED") told.sold += 1;
        else {
          told.refused += 1;
          because("in the books", reason ?? status);
        }
      }
    } catch { /* Accepted is accepted: they are asked for again. */ }
    if (performance.now() - began > 60_000) break;
    if (open.size) await sleep(250);
  }
  told.lost = open.size;
  told.took = performance.now() - began;
  return told;
}

async function join(product, n) {
  const name = `crowd-${attempt().slice(0, 6)}`;
  const told = { sent: n, accepted: 0, refused: 0, why: new Map(), waits: [] };
  const began = performance.now();
  await crowd(n, async (i) => {
    try {
      await ask("POST", "/api/v1/queue/join", { body: { flashSaleId: product.sale.id, userId: `${name}-${i}` } });
      told.accepted += 1;
    } catch (problem) {
      told.refused += 1;
      told.why.set(`at the door ${problem.code}`, (told.why.get(`at the door ${problem.code}`) ?? 0) + 1);
    }
  });
  told.took = performance.now() - began;
  return told;
}

function summarize(told, queued) {
  const sorted = told.waits.sort((a, b) => a - b);
  const rows = [
    ["sent", "Sent", told.sent],
    ["accepted", queued ? "In line" : "Accepted", told.accepted],
    ["refused", "Refused", told.refused],
    ...(queued ? [] : [["sold", "Sold", told.sold]]),
    ...(told.lost ? [["open", "Not known yet", told.lost]] : []),
  ];
  byId("summary").replaceChildren(...rows.map(([name, said, n]) =>
    el("div", {}, el("dt", { text: said }), el("dd", { text: words.count(n), "data-count": name, "data-n": n }))));
  byId("summary").hidden = false;
  const lines = [...told.why].map(([key, n]) => {
    const code = key.slice(key.lastIndexOf(" ") + 1);
    return `${words.count(n)} refused ${key.slice(0, -code.length - 1)}: ${words.reason(code)}`;
  });
  lines.push(`All answered within ${words.ms(told.took)}${sorted.length ? `; accepted after ${words.ms(sorted[Math.floor(sorted.length / 2)])} at the median` : ""}.`);
  byId("summary-why").replaceChildren(...lines.map((text) => el("li", { text })));
  const result = queued ? `${told.accepted} in line` : `${told.accepted} accepted, ${told.sold} sold`;
  say(`The stampede is over: ${told.sent} sent, ${result}, ${told.refused} refused.`);
}

async function run(event) {
  event.preventDefault();
  const [product, n, progress] = [watched(), Number(byId("crowd").value), byId("stampede-progress")];
  if (!product || byId("stampede").getAttribute("aria-busy") === "true") return;
  byId("stampede").setAttribute("aria-busy", "true");
  byId("stampede-go").setAttribute("aria-disabled", "true");
  byId("summary").hidden = true;
  byId("summary-why").replaceChildren();
  progress.hidden = false;
  progress.value = 0;
  const queued = Boolean(product.sale?.waitingRoom);
  summarize(await (queued ? join : send)(product, n), queued);
  progress.hidden = true;
  byId("stampede").setAttribute("aria-busy", "false");
  byId("stampede-go").removeAttribute("aria-disabled");
}

export function start() {
  if (!open) return;
  byId("stampede").hidden = false;
  byId("stampede").addEventListener("submit", run);
  byId("watched").addEventListener("change", describe);
  onChange((product) => { if (product === null || product === watched()) describe(); });
}
