// How numbers and codes are said.

const REASONS = {
  OUT_OF_STOCK: "sold out",
  LIMIT_REACHED: "over the limit per buyer",
  ALREADY_PURCHASED: "already bought by this buyer",
  ALREADY_RESERVED: "already held by this buyer",
  SALE_NOT_STARTED: "the sale has not started",
  SALE_ENDED: "the sale is over",
  SALE_CANCELLED: "the sale was called off",
  PRODUCT_INACTIVE: "not for sale",
  PRODUCT_NOT_FOUND: "no such product",
  RATE_LIMITED: "too many requests",
  OVERLOADED: "too many are waiting",
  UNAVAILABLE: "something it needs is away",
  UNREACHABLE: "no answer",
  UNAUTHENTICATED: "not logged in",
  PASS_REQUIRED: "without a pass of the waiting room",
  PASS_EXPIRED: "the pass has run out",
};

const STATES = {
  SENDING: "sending",
  QUEUED: "in the queue",
  PARKED: "support is looking at it",
  CONFIRMED: "yours",
  FULFILLED: "shipped",
  RESERVED: "held for you",
  REJECTED: "refused",
  CANCELLED: "cancelled",
  EXPIRED: "the hold ran out",
  FAILED: "the payment failed",
};

const plain = (code) => String(code).toLowerCase().replaceAll("_", " ");

export const reason = (code) => REASONS[code] ?? plain(code);
export const state = (code) => STATES[code] ?? plain(code);

const number = new Intl.NumberFormat("en");
export const count = (n) => number.format(n);

export function units(n) {
  return n >= 1_000_000 ? new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(n) : count(n);
}

/** Money comes as a decimal text and a currency. */
export function money(amount, currency) {
  try {
    return new Intl.NumberFormat("en", { style: "currency", currency }).format(amount);
  } catch {
    return `${amount} ${currency}`;
  }
}

export function ms(n) {
  if (n === undefined) return "–";
  if (n >= 10_000) return `${Math.round(n / 1_000)} s`;
  if (n >= 1_000) return `${(n / 1_000).toFixed(1)} s`;
  return `${n < 10 ? n.toFixed(1) : Math.round(n)} ms`;
}

/** A time to come: 4:05, 1:04:05, 3 days. */
export function clock(seconds) {
  const s = Math.max(0, Math.ceil(seconds));
  if (s >= 172_800) return `${Math.floor(s / 86_400)} days`;
  const two = (n) => String(n).padStart(2, "0");
  const [h, m] = [Math.floor(s / 3_600), Math.floor(s / 60) % 60];
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

/** A time to wait, about. */
export function about(seconds) {
  if (seconds < 60) return `about ${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5_400) return `about ${Math.round(seconds / 60)} min`;
  return `about ${Math.round(seconds / 3_600)} h`;
}
