// The demo shop: what is started, in order.

import * as account from "./account.js";
import * as cards from "./cards.js";
import * as counter from "./counter.js";
import * as goods from "./goods.js";
import * as room from "./room.js";
import * as stampede from "./stampede.js";

account.start();
cards.start();
room.start();
counter.start();
stampede.start();
await goods.open();
