// What is for sale: products, their stock as it changes, their sales.
//
// One WebSocket brings the stock of everything shown: a browser keeps only six connections to a server for
// requests and streams together, in all its windows, and a stream for each product would starve the purchases.
// While there is no WebSocket, the list is asked for every second.

import { ask } from "./api.js";
import { whileSeen } from "./dom.js";

const SHOWN_MAX = 30;
const POLL_MS = 1_000;
const HISTORY_MS = 120_000;
const RELOAD_MS = 15_000;

/** Products by number: what they are, `stock`, `sale` and `history` ([moment, units left]). */
export const goods = new Map();
export const live = { pushed: false, more: false, problem: null };

const watchers = new Set();
let aheadMs = 0;
let salesTimer;
let socket;

/** Calls `act(product)` whenever something of a product has changed, and `act(null)` for the list as a whole. */
export const onChange = (act) => watchers.add(act);
const changed = (product) => watchers.forEach((act) => act(product));

/** The time of the clock that opens and closes sales. */
export const now = () => Date.now() + aheadMs;

/** Units that a buyer can still have: of the sale where it has a number of its own, else of the product. */
export function left({ stock, sale }) {
  const ofSale = phase({ sale }) === "live" ? sale.remaining ?? Infinity : Infinity;
  return Math.min(stock.available, ofSale);
}

/** All units that `left` counts down from. */
export const whole = ({ stock, sale }) =>
  (phase({ sale }) === "live" && sale.quantity) || stock.total;

/** Where a product's sale stands by the clock; null where it has none. */
export function phase({ sale }) {
  if (!sale) return null;
  if (sale.status === "cancelled") return "cancelled";
  if (now() < Date.parse(sale.startsAt)) return "upcoming";
  return now() < Date.parse(sale.endsAt) ? "live" : "ended";
}

/** Takes counts, unless newer ones are here. */
function take(product, counts) {
  if (product.stock && counts.version < product.stock.version) return;
  const older = product.stock;
  product.stock = {
    available: counts.availableCount, reserved: counts.reservedCount, sold: counts.soldCount,
    total: counts.totalInventory, version: counts.version,
  };
  product.active = counts.isActive ?? product.active;
  remember(product);
  changed(product);
  if (older && older.version !== counts.version && product.sale?.quantity) soon();
}

function remember(product) {
  const at = Date.now();
  product.history.push([at, left(product)]);
  // What lies further back is not drawn; one older point says where the line comes from.
  while (product.history.length > 2 && product.history[1][0] < at - HISTORY_MS) product.history.shift();
}

async function loadProducts() {
  const { data } = await ask("GET", `/api/v1/products?limit=${SHOWN_MAX}`);
  for (const one of data.products) {
    const known = goods.get(one.productId) ?? { id: one.productId, history: [], sale: null };
    if (!goods.has(known.id)) watch(known.id);
    Object.assign(known, {
      sku: one.sku, name: one.name, description: one.description, price: one.basePrice,
      currency: one.currency, limit: one.perUserLimit,
    });
    goods.set(known.id, known);
    take(known, one.availability);
  }
  live.more = data.next !== null;
}

/** The sale to show of a product: the one that is on, else the next, else the last. */
function choose(sales) {
  const rank = { live: 0, upcoming: 1, ended: 2 };
  const known = sales.filter((sale) => sale.status in rank);
  known.sort((a, b) => rank[a.status] - rank[b.status]
    || (a.status === "ended" ? -1 : 1) * (Date.parse(a.startsAt) - Date.parse(b.startsAt)));
  return known[0] ?? null;
}

async function loadSales() {
  const { data } = await ask("GET", "/api/v1/flash-sales?limit=200");
  const all = data.flashSales.map(({ serverTime, ...sale }) => {
    aheadMs = Date.parse(serverTime) - Date.now();
    return sale;
  });
  for (const product of goods.values()) {
    const sale = choose(all.filter(({ productId }) => productId === product.id));
    if (JSON.stringify(sale) === JSON.stringify(product.sale)) continue;
    product.sale = sale;
    remember(product);
    changed(product);
  }
}

/** Asks how much a sale has left shortly after something was taken of it, however much is. */
function soon() {
  salesTimer ??= setTimeout(async () => {
    await loadSales().catch(() => {});
    salesTimer = undefined;
  }, 250);
}

async function load() {
  try {
    await loadProducts();
    await loadSales();
    live.problem = null;
  } catch (problem) {
    live.problem = problem;
  }
  changed(null);
}

function watch(id) {
  if (socket?.readyState !== WebSocket.OPEN) return;
  socket.send(JSON.stringify({ v: 1, event: "inventory:watch", data: { productId: id } }));
}

function listen(attempts = 0) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/ws`, "doorbuster.v1");
  socket.onopen = () => {
    attempts = 0;
    goods.forEach(({ id }) => watch(id));
  };
  socket.onmessage = ({ data }) => {
    const { event, data: news } = JSON.parse(data);
    if (event === "inventory:update" && goods.has(news.productId)) {
      take(goods.get(news.productId), news);
      if (!live.pushed) {
        live.pushed = true;
        changed(null);
      }
    }
    if (event === "sale:status-change") soon();
  };
  socket.onclose = () => {
    live.pushed = false;
    changed(null);
    // Not all windows at once.
    const pause = Math.min(30_000, 1_000 * 2 ** attempts) * (0.5 + Math.random());
    setTimeout(() => listen(attempts + 1), pause);
  };
}

/** Loads everything once, and keeps it up to date. */
export async function open() {
  await load();
  listen();
  whileSeen(POLL_MS, load, () => !live.pushed);
  whileSeen(RELOAD_MS, load, () => live.pushed);
}
