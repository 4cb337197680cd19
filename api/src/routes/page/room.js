// The waiting room of a sale: a place in line, and the pass of whoever is let in.

import { ask } from "./api.js";
import { buyer, buyerSoFar } from "./account.js";
import { onOutcome } from "./buying.js";
import { kept, say, sleep, write } from "./dom.js";
import { now, phase } from "./goods.js";
import * as words from "./words.js";

/** Lines by sale and buyer. */
const lines = new Map();
/** Nothing changes after these without joining again. */
const OVER = ["MISSED", "ENDED", "CANCELLED", "LIFTED"];
const STORE = () => sessionStorage;

const keyOf = (sale, user) => `doorbuster.line.${sale.id}.${user}`;
const ticketHeader = (line) => ({ "x-queue-ticket": line.ticket });

/** The line that the buyer stands in for this product's sale; none where nobody queues. */
export function roomOf(product) {
  const user = buyerSoFar();
  if (!product.sale?.waitingRoom || !user) return null;
  const key = keyOf(product.sale, user);
  const ticket = kept.get(STORE, key);
  // The page was loaded anew: the place is still there.
  if (!lines.has(key) && ticket) watch(enter(key, product, { ticket, status: "WAITING" }));
  return lines.get(key) ?? null;
}

function enter(key, product, news) {
  const line = { key, product, joined: now() };
  lines.set(key, line);
  take(line, news);
  return line;
}

function take(line, news) {
  const before = line.status;
  const { ticket = null, pass = null } = line;
  Object.assign(line, news, { ticket: news.ticket ?? ticket, pass: news.pass ?? pass });
  kept.set(STORE, line.key, OVER.includes(line.status) ? null : line.ticket);
  if (before && before !== line.status) say(`${line.product.name}: ${placeOf(line)}`);
}

async function join(product) {
  const userId = buyer();
  if (userId === null) return;
  const body = { flashSaleId: product.sale.id, userId };
  const { data } = await ask("POST", "/api/v1/queue/join", { body, signed: true });
  const line = enter(keyOf(product.sale, userId), product, data);
  say(`${product.name}: ${placeOf(line)}`);
  watch(line);
}

async function leave(line) {
  forget(line);
  await ask("DELETE", "/api/v1/queue/leave", { headers: ticketHeader(line), signed: true });
}

function forget(line) {
  line.source?.close();
  lines.delete(line.key);
  kept.set(STORE, line.key, null);
}

/** Follows a place: as a stream, else by asking as often as the server likes. */
function watch(line) {
  const source = new EventSource(`/api/v1/queue/events?ticket=${encodeURIComponent(line.ticket)}`);
  line.source = source;
  source.addEventListener("position", ({ data }) => {
    take(line, JSON.parse(data));
    if (OVER.includes(line.status)) source.close();
  });
  source.onerror = () => {
    source.close();
    poll(line);
  };
}

async function poll(line) {
  while (lines.get(line.key) === line && !OVER.includes(line.status)) {
    let pause = 2;
    try {
      const { data, retryAfter } = await ask("GET", "/api/v1/queue/position", { headers: ticketHeader(line), signed: true });
      take(line, data);
      pause = retryAfter || pause;
    } catch (problem) {
      if ([400, 403, 404].includes(problem.status)) return forget(line);
      pause = problem.retryAfter || pause;
    }
    await sleep(pause * 1_000);
  }
}

const passLeft = (line) => (Date.parse(line.passExpiresAt) - now()) / 1_000;

function placeOf(line) {
  switch (line.status) {
    case "PRE_QUEUE": return "you are here early. Places are drawn when the sale opens.";
    case "WAITING": return line.position ? `you are number ${words.count(line.position)} in line, ${toGo(line)}.`
      : "looking for your place …";
    case "ADMITTED": return passLeft(line) > 0
      ? `you are in. Buy within ${words.clock(passLeft(line))}.` : "your pass has run out.";
    case "MISSED": return "it was your turn, and you were not here.";
    case "SOLD_OUT": return "everything is taken. What is given back goes to the line.";
    case "ENDED": return "the sale is over.";
    case "CANCELLED": return "the sale was called off.";
    case "LIFTED": return "there is no line any more.";
    default: return line.status;
  }
}

const toGo = ({ estimatedWaitSeconds: seconds }) =>
  seconds === null ? "which does not move now" : `${words.about(seconds)} to go`;

const sentence = (text) => text[0].toUpperCase() + text.slice(1);

/** Shows the room on the product's card. True: the buyer has to wait, and cannot buy yet. */
export function drawRoom(product, part, standing) {
  const { sale } = product;
  const room = roomOf(product)?.status === "LIFTED" ? null : sale?.waitingRoom;
  const opens = room && Date.parse(sale.startsAt) - room.preQueueSeconds * 1_000;
  const line = roomOf(product);
  const early = phase(product) === "upcoming" && now() >= opens;
  const open = room && (standing === "on" || early || (standing === "gone" && line));
  part(".room").hidden = !open;
  if (!open) return Boolean(room);
  const over = !line || OVER.includes(line.status) || (line.status === "ADMITTED" && passLeft(line) <= 0);
  const admitted = Boolean(line) && !over && line.status === "ADMITTED";
  write(part(".place"), line ? sentence(placeOf(line)) : `A waiting room: ${words.count(room.admitPerSecond)} a second are let in.`);
  part(".room").dataset.status = line?.status ?? "";
  part(".join").hidden = !over || ["ENDED", "CANCELLED"].includes(line?.status);
  write(part(".join"), line ? "Join the line again" : "Join the line");
  part(".leave").hidden = over;
  part(".join").onclick = () => act(part, () => join(product));
  part(".leave").onclick = () => act(part, () => leave(line));
  return !admitted;
}

async function act(part, what) {
  try {
    await what();
  } catch (problem) {
    write(part(".place"), `${problem.title ?? problem.code}.`);
    say(problem.message);
  }
}

export function start() {
  // A pass is good for one purchase, and for none when it is refused.
  onOutcome(({ product, good, code }) => {
    const line = (good || code?.startsWith("PASS_")) && roomOf(product);
    if (line) forget(line);
  });
}
