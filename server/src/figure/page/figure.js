// The live figure: a server, drawn from what it says about itself four times a second.
//
// Each part is a class or a few functions, in this order:
//   elements and words   making elements; numbers and times as text
//   clock                the time of the picture, and the one loop of animation frames
//   geometry             where the boxes and tracks are, in a row or in a column
//   the picture          boxes, marks of connections, accept loop, dots of requests, refusals
//   the page             numbers, lists, and the panels with forms
//   feed                 the stream of ticks, and what happens when it ends
//
// Two SVG elements lie on each other. What stands still is in `still`; what moves is in `moving`, so that a frame
// repaints a few dots and not the whole picture. Every list has a limit, and elements are used again, so that the size of
// the page does not depend on the load of the server.

const MAX_MARKS = 200; // connections drawn; the server lists no more
const MAX_RINGS = 60; // of these, with a ring for the time left
const MAX_DOTS = 60; // requests on their way at the same time
const LANES = 5; // of an HTTP/2 connection
const MAX_SOCKETS = 8; // new connections on their way through the accept loop
const ROWS = 8; // lines of each list under the picture
const CRATES = ["listener", "conn", "request", "mux", "server"]; // as a request passes them
const ROLES = ["accept", "one client", "bytes → request", "which handler", "reply"];
const STATES = ["new", "active", "idle", "hijacked"];
const DELAYS = [5, 10, 20, 40, 80, 160, 320, 640, 1000]; // of the back-off, in milliseconds
const parameters = new URLSearchParams(location.search);

// --- elements and words ---

const $ = (id) => document.getElementById(id);

// An element with attributes and children. Text becomes text nodes, so nothing that the server says can become markup.
function element(namespace, name, attributes, children) {
  const made = namespace ? document.createElementNS(namespace, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
const html = (name, attributes = {}, ...children) => element(null, name, attributes, children);
const svg = (name, attributes = {}, ...children) => element("http://www.w3.org/2000/svg", name, attributes, children);

// Sets a text or an attribute only if it differs: most of them do not, and a change costs a layout.
function say(node, text) {
  if (node.textContent !== String(text)) node.textContent = text;
}
function set(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) {
    if (node.getAttribute(key) !== String(value)) node.setAttribute(key, value);
  }
}

const count = (() => {
  const format = new Intl.NumberFormat("en");
  return (number) => format.format(number ?? 0);
})();
const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

function milliseconds(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 && ms % 1000 ? 1 : 0)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  return `${Math.floor(ms / 3_600_000)} h`;
}

// A time since the server began, as minutes and seconds.
const time = (ms) => `${Math.floor(ms / 60_000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, "0")}`;
const microseconds = (us) => (us < 1000 ? `${us} µs` : milliseconds(us / 1000));

// Text of a fixed width: as much of it as fits into so many pixels.
const fit = (text, pixels, perLetter = 7.25) => {
  const letters = Math.max(1, Math.floor(pixels / perLetter));
  return text.length <= letters ? text : `${text.slice(0, letters - 1)}…`;
};

// The server's numbers of connections are long. The page counts them in the order in which it sees them.
const named = (() => {
  const names = new Map();
  let last = 0;
  return (id) => {
    if (!names.has(id)) names.set(id, ++last);
    if (names.size > 2000) names.delete(names.keys().next().value);
    return names.get(id) ?? last;
  };
})();

// The class of a status, for its colour. The text always has the number too.
const kind = (status) => `s${Math.floor((status || 0) / 100)}`;

// The pattern of a sample without its method, which stands beside it.
const patternOf = (sample) => sample.pattern?.replace(/^[A-Z]+ /, "") ?? "no pattern";

// What is known of a sample after each step: the method from the head, the pattern from the mux, the rest at the end.
function sampleText(sample, stage = 3) {
  const parts = [sample.method];
  if (stage > 1) parts.push(patternOf(sample));
  if (stage > 2) parts.push(sample.status ?? sample.outcome, microseconds(sample.us?.sent ?? 0));
  return parts.join(" ");
}

// --- clock ---

// With `?clock=ticks` time stands still between two ticks, so that a program can look at the picture at a known time.
const clock = {
  byTicks: parameters.get("clock") === "ticks",
  tick: 0,
  stopped: null, // when the page was paused
  lost: 0, // how long it was paused so far
  calm: matchMedia("(prefers-reduced-motion: reduce)"),
  now() {
    return this.byTicks ? this.tick : (this.stopped ?? performance.now()) - this.lost;
  },
  pause(paused) {
    if (paused) this.stopped = performance.now();
    else [this.lost, this.stopped] = [this.lost + performance.now() - this.stopped, null];
  },
};

// One loop for everything that moves. A mover is asked once a frame, and says whether it still moves; if none does, the
// loop ends until `wake` begins it again.
const frames = {
  movers: [],
  scheduled: false,
  paused: false,
  wake() {
    if (this.scheduled || this.paused || clock.byTicks) return;
    this.scheduled = true;
    requestAnimationFrame(() => this.frame());
  },
  frame() {
    this.scheduled = false;
    const now = clock.now();
    let moves = false;
    for (const mover of this.movers) moves = mover.move(now) || moves;
    if (moves) this.wake();
  },
};

// 0 before `from`, 1 after `to`, and slow at both ends.
function ease(from, to, now) {
  const part = Math.min(1, Math.max(0, (now - from) / (to - from)));
  return part * part * (3 - 2 * part);
}
const between = (a, b, part) => a + (b - a) * part;

// --- geometry ---

// Where everything is, for a width in pixels: five boxes in a row if they fit, else in a column.
function geometry(width) {
  return width >= 880 ? row(width) : column(width);
}

function row(width) {
  const gutter = width > 1100 ? 74 : 48;
  const gap = width > 1100 ? 26 : 18;
  const w = (width - 2 * gutter - 4 * gap) / 5;
  const boxes = CRATES.map((_, i) => ({ x: gutter + i * (w + gap), y: 10, w, h: 408 }));
  const inside = boxes.map((box, i) => ({ x: box.x + 14, y: i < 2 ? 76 : 242, w: w - 28, bottom: box.y + box.h - 12 }));
  const tracks = Array.from({ length: 7 }, (_, i) => 96 + i * 20);
  const centre = (i) => boxes[i].x + boxes[i].w / 2;
  return {
    wide: true,
    width,
    height: 496,
    gutter,
    gap,
    boxes,
    inside,
    tracks,
    labels: w > 150,
    // From the connection along a track: the points where a request is after each step.
    path: (from, track) => {
      const y = tracks[track];
      return [from, [centre(2), y], [centre(3), y], [centre(4), y], [width - 4, y]];
    },
    staff: tracks.map((y) => `M${boxes[1].x + boxes[1].w} ${y}H${width - 6}`).join(""),
    door: [boxes[1].x + boxes[1].w, 156], // where a request leaves a connection that is not drawn
    falls: { x: centre(2), from: 418, y: [440, 458, 476], w: width - centre(2) - 4 },
  };
}

function column(width) {
  const heights = [196, 200, 132, 150, 134];
  const gap = 20;
  let y = 30;
  const boxes = heights.map((h) => {
    const box = { x: 1, y, w: width - 2, h };
    y += h + gap;
    return box;
  });
  const lane = width > 520 ? 108 : 84; // the tracks are at the right of the boxes
  const inside = boxes.map((box, i) => ({
    x: 14,
    y: box.y + (i < 2 ? 54 : 58),
    w: width - 28 - (i < 2 ? 0 : lane),
    bottom: box.y + box.h - 10,
  }));
  const tracks = Array.from({ length: 5 }, (_, i) => width - lane + 12 + (i * (lane - 28)) / 4);
  const middle = (i) => boxes[i].y + boxes[i].h / 2;
  const height = y + 12;
  return {
    wide: false,
    width,
    height,
    gutter: 0,
    gap,
    boxes,
    inside,
    tracks,
    labels: false,
    path: (from, track) => {
      const x = tracks[track];
      return [from, [x, middle(2)], [x, middle(3)], [x, middle(4)], [x, height - 18]];
    },
    staff: tracks.map((x) => `M${x} ${boxes[1].y + boxes[1].h}V${height - 24}`).join(""),
    door: [tracks[2], boxes[1].y + boxes[1].h],
    falls: { x: 14, from: boxes[2].y + boxes[2].h - 40, y: [boxes[2].y + boxes[2].h - 14], w: width - 28 - lane },
  };
}

// --- the picture ---

// What stands still: boxes, arrows, tracks, and the texts in the boxes.
class Boxes {
  constructor(choose) {
    this.choose = choose;
    this.texts = {};
  }

  draw(g) {
    this.g = g;
    this.texts = {};
    const still = $("still");
    set(still, { viewBox: `0 0 ${g.width} ${g.height}`, width: g.width, height: g.height });
    still.replaceChildren(
      ...this.arrows(g),
      ...CRATES.map((_, i) => this.box(g, i)),
      svg("path", { class: "staff", d: g.staff }),
    );
    this.inRequest(g.inside[2]);
    this.inMux(g.inside[3]);
    this.inServer(g.inside[4]);
  }

  // From box to box, at the height of the accept loop and then of the middle track.
  arrows(g) {
    const [first, last] = [g.boxes[0], g.boxes[4]];
    const right = (from, to, y) => `M${from} ${y}H${to}m-5 -4l5 4l-5 4`;
    const down = (from, to) => `M40 ${from}V${to}m-4 -5l4 5l4 -5`;
    const ends = g.wide
      ? [right(4, first.x - 3, 92), right(last.x + last.w + 3, g.width - 4, 156)]
      : [down(6, first.y - 2), down(last.y + last.h + 2, g.height - 4)];
    const ways = g.boxes
      .slice(1)
      .map((box, i) =>
        g.wide ? right(box.x - g.gap + 3, box.x - 3, i ? 156 : 92) : down(box.y - g.gap + 2, box.y - 2),
      );
    const word = (text, x, y, style) => svg("text", { class: `way ${style}`, x, y }, text);
    const words = g.wide
      ? [word("clients", 4, 80, ""), word("replies", g.width - 4, 60, "end")]
      : [word("client sockets", 52, 20, ""), word("replies", 52, g.height - 8, "")];
    return [svg("path", { class: "arrow", d: [...ends, ...ways].join("") }), ...words];
  }

  // A box is a button: it opens its chapter.
  box(g, i) {
    const { x, y, w, h } = g.boxes[i];
    const name = CRATES[i];
    const role = g.wide ? { x: x + 14, y: y + 46 } : { x: x + 94, y: y + 26 };
    const group = svg(
      "g",
      {
        class: "box",
        id: `box-${name}`,
        role: "button",
        tabindex: "0",
        "aria-controls": "chapter",
        "aria-expanded": "false",
        "aria-label": `${name}: ${ROLES[i]}. Read about it`,
      },
      svg("rect", { x, y, width: w, height: h, rx: 3 }),
      svg("text", { class: "name", x: x + 13, y: y + 27 }, name),
      svg("text", { class: "role", ...role }, ROLES[i]),
      svg("g", { id: `in-${name}`, class: "inside" }),
    );
    group.addEventListener("click", () => this.choose(name));
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      this.choose(name);
    });
    return group;
  }

  // A line of text in a box, found again by its name.
  text(box, name, x, y, style = "") {
    this.texts[name] = svg("text", { class: style, x, y });
    $(`in-${box}`).append(this.texts[name]);
  }

  // A number with the word for it.
  figure(box, name, x, y) {
    this.text(box, name, x, y, "figures");
    this.text(box, `${name}Word`, x, y + 17, "small");
  }

  inRequest({ x, y }) {
    const beside = this.g.wide ? [x, y + 66] : [x + 118, y + 12];
    this.figure("request", "inProgress", x, y + 12);
    this.figure("request", "refused", ...beside);
    this.text("request", "parsed", x, y + 118, "small");
  }

  inMux({ x, y, bottom }) {
    this.patterns = Math.min(9, Math.floor((bottom - y + 8) / 16));
    for (let i = 0; i < this.patterns; i++) this.text("mux", `pattern${i}`, x, y + 6 + i * 16, "mono");
  }

  inServer({ x, y, w }) {
    const beside = this.g.wide ? [x, y + 66] : [x + 118, y + 12];
    this.figure("server", "served", x, y + 12);
    this.figure("server", "rate", ...beside);
    this.spark = svg("path", { class: "spark" });
    this.sparkAt = this.g.wide ? { x, y: y + 132, w, h: 34 } : { x, y: y + 66, w, h: 20 };
    $("in-server").append(this.spark);
    this.text("server", "statuses", x, y + 156, "small");
  }

  // The numbers in the boxes `request`, `mux` and `server`.
  show(tick, seen) {
    const { texts } = this;
    const figure = (name, number, word) => {
      say(texts[name], count(number));
      say(texts[`${name}Word`], word);
    };
    figure("inProgress", tick.requests, "in progress");
    figure("refused", tick.refused, "refused");
    figure("served", tick.served, "served");
    figure("rate", seen.rate, "a second");
    const wide = this.g.wide;
    say(
      texts.parsed,
      wide && Number.isFinite(seen.last?.us?.parsed) ? `last head: ${microseconds(seen.last.us.parsed)}` : "",
    );
    say(texts.statuses, wide ? fit(seen.statusText(), this.g.inside[4].w, 5.7) : "");
    this.showPatterns(seen);
    this.drawSpark(seen.rates);
  }

  showPatterns(seen) {
    const rows = seen.topPatterns(this.patterns);
    const widest = this.g.inside[3].w;
    for (let i = 0; i < this.patterns; i++) {
      const [pattern, times] = rows[i] ?? ["", 0];
      const number = times ? count(times) : "";
      say(this.texts[`pattern${i}`], times ? `${fit(pattern, widest - number.length * 7.25 - 12)} ${number}` : "");
      set(this.texts[`pattern${i}`], { class: times && pattern === seen.last?.pattern ? "mono here" : "mono" });
    }
  }

  // Requests a second over the last minute. It begins at the right, and the highest value has the full height.
  drawSpark(rates) {
    const { x, y, w, h } = this.sparkAt;
    const highest = Math.max(1, ...rates);
    const step = w / 59;
    const point = (rate, i) =>
      `${(x + w - (rates.length - 1 - i) * step).toFixed(1)} ${(y - (rate / highest) * h).toFixed(1)}`;
    set(this.spark, { d: rates.length > 1 ? `M${rates.map(point).join("L")}` : "" });
  }
}

// The shapes of the four states, around 0 0, and also of those in the words above them.
const SHAPES = {
  new: "M-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0z",
  active: "M-3.7 0a3.7 3.7 0 1 0 7.4 0a3.7 3.7 0 1 0 -7.4 0z",
  idle: "M-1.9 0a1.9 1.9 0 1 0 3.8 0a1.9 1.9 0 1 0 -3.8 0z",
  hijacked: "M0 -4.4L4.4 0L0 4.4L-4.4 0z",
};

// Connections as marks. A mark keeps its place as long as its connection is listed.
class Marks {
  constructor() {
    this.listed = new Map(); // id → { mark, slot }
    this.free = []; // marks that are not in use
    this.recent = new Map(); // HTTP/2: connection → { lane → time of its last sample }
    this.bars = new Map(); // HTTP/2: connection → y of its first lane
  }

  draw(g) {
    this.g = g;
    const { x, y, w, bottom } = g.inside[1];
    const home = $("in-conn");
    this.words = STATES.map((state, i) => {
      const [wordX, wordY] = g.wide ? [x, y + 6 + i * 17] : [x + (i % 2) * (w / 2), y + 4 + Math.floor(i / 2) * 18];
      const word = svg("text", { class: "small", x: wordX + 14, y: wordY });
      home.append(
        svg("path", { class: `mark ${state}`, d: SHAPES[state], transform: `translate(${wordX + 4} ${wordY - 4})` }),
        word,
      );
      return word;
    });
    this.cell = 14;
    this.top = y + (g.wide ? 92 : 46);
    this.columns = Math.max(1, Math.floor((w + 4) / this.cell));
    this.slots = Math.min(
      MAX_MARKS,
      this.columns * Math.max(1, Math.floor((bottom - 20 - (g.wide ? 74 : 0) - this.top) / this.cell)),
    );
    this.group = svg("g");
    this.more = svg("text", { class: "small", x, y: bottom - (g.wide ? 80 : 2) });
    this.lanes = svg("g", { class: "lanes" });
    home.append(this.group, this.more, this.lanes);
    this.listed.clear();
    this.free = [];
    this.empty = Array.from({ length: this.slots }, (_, i) => this.slots - 1 - i);
  }

  place(slot) {
    const { x } = this.g.inside[1];
    return [x + 4 + (slot % this.columns) * this.cell, this.top + Math.floor(slot / this.columns) * this.cell];
  }

  // Where a request of a connection begins: at its mark, or over HTTP/2 at the end of its lane.
  of(id, stream = null) {
    const { x, w } = this.g.inside[1];
    if (stream !== null && this.bars.has(id)) return [x + w, this.bars.get(id) + (stream % LANES) * 4];
    const shown = this.listed.get(id);
    return shown ? this.place(shown.slot) : this.g.door;
  }

  show(tick) {
    const here = new Set(tick.connections.map((connection) => connection.id));
    for (const [id, { mark, slot }] of this.listed) {
      if (here.has(id)) continue;
      this.listed.delete(id);
      this.empty.push(slot);
      mark.remove();
      this.free.push(mark);
    }
    this.empty.sort((a, b) => b - a);
    const came = [];
    for (const connection of tick.connections)
      if (!this.listed.has(connection.id) && this.add(connection)) came.push(connection);
    for (const connection of tick.connections) this.update(connection);
    this.rings(tick.connections);
    const hidden = total(tick) - this.listed.size;
    say(this.more, hidden > 0 ? `+${count(hidden)} more` : "");
    STATES.forEach((state, i) => say(this.words[i], this.stateText(tick, state)));
    this.drawLanes(tick);
    return came;
  }

  stateText(tick, state) {
    const ages = tick.connections
      .filter((connection) => connection.state === state)
      .map((connection) => connection.age_ms);
    const oldest =
      ages.length && this.g.inside[1].w > 160 && this.g.wide ? `, oldest ${milliseconds(Math.max(...ages))}` : "";
    return `${count(tick.counts[state])} ${state}${oldest}`;
  }

  add(connection) {
    const slot = this.empty.pop();
    if (slot === undefined) return false;
    const mark = this.free.pop() ?? svg("g", {}, svg("path"), svg("title"));
    const [x, y] = this.place(slot);
    set(mark, { transform: `translate(${x} ${y})` });
    this.group.append(mark);
    this.listed.set(connection.id, { mark, slot });
    return true;
  }

  update(connection) {
    const shown = this.listed.get(connection.id);
    if (!shown) return;
    const [path, title] = shown.mark.children;
    set(path, { class: `mark ${connection.state}`, d: SHAPES[connection.state] ?? SHAPES.active });
    say(title, connectionText(connection));
  }

  // The time that a client has left, as a part of a ring that shrinks. Those with the least time left come first.
  rings(connections) {
    const left = (connection) => connection.left_ms / connection.limit_ms;
    const waited = connections.filter(
      (connection) => connection.limit_ms > 0 && connection.left_ms !== null && connection.phase !== "idle",
    );
    const ringed = new Set(waited.sort((a, b) => left(a) - left(b)).slice(0, MAX_RINGS));
    const byId = new Map([...ringed].map((connection) => [connection.id, connection]));
    for (const [id, { mark }] of this.listed) {
      const connection = byId.get(id);
      let ring = mark.children[2];
      if (!connection) {
        ring?.remove();
        continue;
      }
      if (!ring)
        mark.append((ring = svg("circle", { class: "ring", r: 5.6, pathLength: 100, transform: "rotate(-90)" })));
      const part = Math.max(0, Math.min(1, left(connection)));
      set(ring, { "stroke-dasharray": `${(part * 100).toFixed(0)} 100`, class: part < 0.25 ? "ring soon" : "ring" });
    }
  }

  // An HTTP/2 connection is a bar of lanes. A lane is lit if a request of its stream was sampled in the last three seconds;
  // the server gives the lane of a stream that has ended to the next one.
  sampled(samples, now) {
    for (const { connection, stream } of samples) {
      if (stream === null || stream === undefined) continue;
      if (!this.recent.has(connection)) this.recent.set(connection, new Map());
      this.recent.get(connection).set(stream % LANES, now);
    }
    for (const [connection, lanes] of this.recent) {
      for (const [lane, at] of lanes) if (now - at > 3000) lanes.delete(lane);
      if (!lanes.size) this.recent.delete(connection);
    }
  }

  drawLanes(tick) {
    const { x, w, bottom } = this.g.inside[1];
    const many = tick.connections
      .filter((connection) => connection.protocol === "h2")
      .sort((a, b) => b.requests - a.requests);
    const line = (y, lane) => `M${x} ${y + lane * 4}H${x + w}`;
    this.bars.clear();
    const rows = (this.g.wide ? many.slice(0, 2) : []).map((connection, i) => {
      const y = bottom - 50 + i * 34;
      const lit = [...(this.recent.get(connection.id)?.keys() ?? [])];
      this.bars.set(connection.id, y);
      return svg(
        "g",
        {},
        svg("path", { class: "lane", d: Array.from({ length: LANES }, (_, lane) => line(y, lane)).join("") }),
        svg("path", { class: "lane lit", d: lit.map((lane) => line(y, lane)).join("") }),
        svg("text", { class: "small", x, y: y - 6 }, `HTTP/2, ${plural(connection.requests, "stream")}`),
      );
    });
    this.lanes.replaceChildren(...rows);
  }
}

const WAITS = {
  head: "a request head",
  body: "a request body",
  reply: "its client to read",
  idle: "the next request",
  handshake: "the handshake",
};

function connectionText(connection) {
  const waits = connection.phase ? `, waits for ${WAITS[connection.phase] ?? connection.phase}` : "";
  const left = connection.limit_ms
    ? `: ${milliseconds(connection.left_ms)} of ${milliseconds(connection.limit_ms)} left`
    : "";
  return `connection ${named(connection.id)}: ${connection.state}, ${milliseconds(connection.age_ms)} old${waits}${left}`;
}

// The accept loop, as in Figure 3.10: accept, and after an error sleep, and accept again. A sleep of 5 ms is too short to
// be seen, so each event of the server's ring is shown for a second or less, in its order, later than it happened.
class AcceptLoop {
  constructor() {
    this.waiting = []; // events that are not shown yet
    this.shown = null; // { event, from, to }
    this.open = true;
  }

  draw(g) {
    this.g = g;
    const { x, y, w, bottom } = g.inside[0];
    const home = $("in-listener");
    const top = y + 16;
    const pill = Math.min(64, w * 0.44);
    this.pill = svg("rect", { class: "pill", x, y: top - 15, width: pill, height: 30, rx: 15 });
    this.word = svg("text", { class: "middle", x: x + pill / 2, y: top + 4 }, "accept");
    this.out = svg("path", { class: "arrow", d: `M${x + pill} ${top}H${x + w + (g.wide ? 14 : 0)}` });
    this.gates = ["PROXY", "TLS"].map((name, i) => this.gate(name, x + pill + (w - pill) * (i ? 0.78 : 0.36), top));
    this.drawSleep(home, x, top, x + pill / 2);
    home.append(this.out, ...this.gates.map((gate) => gate.group), this.pill, this.word);
    // The points that a new connection passes before its mark.
    const exit = [x + w, top];
    this.way = g.wide ? [[4, top], exit] : [[40, 6], [40, top], exit];
    this.ladder(home, x, w, bottom);
    this.limit = svg("text", { class: "small", id: "limit", x, y: bottom - (g.wide ? 4 : 2) });
    home.append(this.limit);
    this.paint(clock.now());
  }

  // The way from `accept` to `sleep` and back, and the words beside it.
  drawSleep(home, x, top, sx) {
    const { wide } = this.g;
    const [sy, radius] = [top + (wide ? 128 : 62), wide ? 24 : 18];
    const [from, to] = [top + 15, sy - radius + 2];
    const bend = (to - from) / 3;
    this.loop = svg("path", {
      class: "loop",
      d:
        `M${sx - 8} ${from}C${sx - 18} ${from + bend} ${sx - 18} ${to - bend} ${sx - 8} ${to}m-4 -6l4 6l5 -5` +
        `M${sx + 8} ${to}C${sx + 18} ${to - bend} ${sx + 18} ${from + bend} ${sx + 8} ${from}m-5 5l5 -5l4 6`,
    });
    this.sleep = svg("circle", { class: "sleep", cx: sx, cy: sy, r: radius });
    this.left = svg("circle", {
      class: "left",
      cx: sx,
      cy: sy,
      r: radius,
      pathLength: 100,
      transform: `rotate(-90 ${sx} ${sy})`,
    });
    this.sleepWord = svg("text", { class: "middle small", x: sx, y: sy + 4 }, "sleep");
    const beside = wide && this.g.inside[0].w < 170 ? { x, y: sy + 46 } : { x: sx + radius + 10, y: sy - 3 };
    this.error = svg("text", { class: "mono error", ...beside });
    this.says = svg("text", { class: "small", id: "backoff", x: beside.x, y: beside.y + 16 });
    home.append(this.loop, this.sleep, this.left, this.sleepWord, this.error, this.says);
  }

  gate(name, x, y) {
    const group = svg(
      "g",
      { class: "gate", id: `gate-${name}`, visibility: "hidden" },
      svg("path", { d: `M${x - 3} ${y - 11}V${y + 11}M${x + 3} ${y - 11}V${y + 11}` }),
      svg("text", { class: "middle small", x, y: name === "TLS" ? y + 25 : y - 15 }, name),
      svg("title"),
    );
    return { group, name };
  }

  // The delays, each twice the one before, at most a second.
  ladder(home, x, w, bottom) {
    const base = bottom - (this.g.wide ? 44 : 18);
    const [left, width] = this.g.wide ? [x, w] : [x + w * 0.56, w * 0.44];
    const step = width / DELAYS.length;
    this.steps = DELAYS.map((delay, i) => {
      const height = 5 + i * (this.g.wide ? 5 : 3.5);
      return svg("rect", { class: "step", x: left + i * step, y: base - height, width: Math.max(3, step - 3), height });
    });
    const label = (i, text, style) =>
      svg("text", { class: `small ${style}`, x: left + (i ? width - 3 : 0), y: base + 13 }, text);
    home.append(...this.steps, label(0, "5 ms", ""), label(1, "1 s", "end"));
  }

  show(tick) {
    const { accept } = tick;
    this.open = accept.open;
    this.counts = accept;
    if (!accept.open) [this.waiting, this.shown] = [[], null]; // it ends at a shutdown, also in its sleep
    set(this.pill, { class: accept.open ? "pill" : "pill closed" });
    say(this.word, accept.open ? "accept" : "closed");
    for (const { group, name } of this.gates) {
      const gate = name === "TLS" ? accept.tls : accept.proxy;
      set(group, { visibility: gate ? "visible" : "hidden" });
      say(
        group.lastChild,
        gate
          ? Object.entries(gate)
              .map(([key, value]) => `${key}: ${value}`)
              .join(", ")
          : "",
      );
    }
    const { limit } = accept;
    say(
      this.limit,
      limit ? `${count(limit.available)} of ${count(limit.max)} places free` : `${count(accept.accepted)} accepted`,
    );
    this.paint(clock.now());
    frames.wake();
  }

  // Events that the server has recorded since the tick before. It keeps no more than 64 either.
  hear(events) {
    this.waiting = [...this.waiting, ...events].slice(-64);
  }

  // Shows the next event when the one before has been shown long enough. With many waiting, each is shown for less.
  move(now) {
    if (this.shown && now >= this.shown.to) this.shown = null;
    if (!this.shown && this.waiting.length) {
      const event = this.waiting.shift();
      const full =
        event.kind !== "error" ? 1600 : 500 + 90 * DELAYS.findIndex((delay) => delay >= (event.delay_ms || 0));
      this.shown = { event, from: now, to: now + full / (1 + this.waiting.length / 12) };
    }
    this.paint(now);
    return Boolean(this.shown);
  }

  paint(now) {
    if (!this.says) return;
    const event = this.shown?.event;
    const sleeps = event?.kind === "error" && event.delay_ms > 0;
    const live = this.counts?.delay_ms ?? 0;
    const part = sleeps ? 1 - Math.min(1, (now - this.shown.from) / (this.shown.to - this.shown.from)) : 0;
    set(this.left, { "stroke-dasharray": `${(part * 100).toFixed(0)} 100` });
    set(this.sleep, { class: sleeps ? "sleep on" : "sleep" });
    set(this.loop, { class: sleeps ? "loop on" : "loop" });
    say(this.error, event?.kind === "error" ? fit(event.errno ?? event.class ?? "", this.g.inside[0].w) : "");
    let words = live ? `waits ${milliseconds(live)}` : "";
    if (event)
      words =
        event.kind === "error"
          ? sleeps
            ? `sleeps ${milliseconds(event.delay_ms)}`
            : "again at once"
          : (ACCEPT_WORDS[event.kind] ?? event.kind);
    say(this.says, words);
    set(this.says, { class: event && event.kind !== "error" ? "small good" : "small" });
    const lit = sleeps ? DELAYS.findLastIndex((delay) => delay <= event.delay_ms) : -1;
    this.steps.forEach((step, i) => set(step, { class: i === lit ? "step on" : "step" }));
  }
}

const ACCEPT_WORDS = { released: "a descriptor came free", recovered: "accepts again" };

// New connections on their way from the client through the accept loop to their mark.
class Sockets {
  constructor(marks, loop) {
    this.marks = marks;
    this.loop = loop;
    this.on = []; // { node, from, to, id }
  }

  draw(group) {
    this.group = group;
    this.on = [];
  }

  show(came, now) {
    if (clock.calm.matches || clock.byTicks) return;
    for (const { id } of came.slice(0, MAX_SOCKETS - this.on.length)) {
      const node = svg("rect", { class: "socket", x: -4, y: -4, width: 8, height: 8, opacity: 0 });
      this.group.append(node);
      this.on.push({ node, id, from: now + this.on.length * 90 });
    }
    frames.wake();
  }

  move(now) {
    this.on = this.on.filter(({ node, id, from }) => {
      if (now > from + 1100) {
        node.remove();
        return false;
      }
      const points = [...this.loop.way, this.marks.of(id)];
      const part = ease(from, from + 1100, now) * (points.length - 1);
      const leg = Math.min(points.length - 2, Math.floor(part));
      const [x, y] = points[leg].map((at, axis) => between(at, points[leg + 1][axis], part - leg));
      node.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
      node.setAttribute("opacity", now < from ? 0 : 1);
      return true;
    });
    return this.on.length > 0;
  }
}

// Requests as dots. Each leg of a dot's way takes longer if the server's step took longer; both are on a scale of powers
// of ten, because a head is parsed in microseconds and a handler may take seconds.
class Dots {
  constructor(marks) {
    this.marks = marks;
    this.on = [];
    this.free = [];
    this.trackBusy = []; // until when a track has a label
  }

  draw(group, g) {
    this.group = group;
    this.g = g;
    this.on = [];
    this.free = [];
    this.trackBusy = g.tracks.map(() => 0);
    // Measured once: how wide a letter of a label is.
    this.letter = 6.65;
  }

  show(samples, now, tickMs) {
    const room = MAX_DOTS - this.on.length;
    const every = Math.max(1, samples.length / Math.max(1, room));
    for (let i = 0; i < samples.length && this.on.length < MAX_DOTS; i += every) {
      this.add(samples[Math.floor(i)], now + (i * tickMs) / samples.length);
    }
    frames.wake();
  }

  add(sample, from) {
    const legs = [
      sample.us?.parsed,
      Math.max(0, sample.us?.handled - sample.us?.parsed),
      0,
      Math.max(0, sample.us?.sent - sample.us?.handled),
    ];
    const times = [from];
    for (const us of legs) times.push(times.at(-1) + 380 + 110 * Math.log10(1 + (us || 0)));
    const free = this.trackBusy.findIndex((until) => until <= from);
    const track = free >= 0 ? free : sample.id % this.g.tracks.length;
    if (free >= 0) this.trackBusy[free] = clock.calm.matches ? times[4] + 250 : from + 1700;
    const node = this.free.pop() ?? svg("g", {}, svg("circle", { r: 4.5 }), svg("text", { y: -6 }));
    set(node.firstChild, { class: "dot" });
    node.lastChild.textContent = "";
    node.setAttribute("opacity", 0);
    this.group.append(node);
    const start = this.g.path(this.marks.of(sample.connection, sample.stream), track);
    this.on.push({ node, sample, times, path: start, stage: 0, labelled: this.g.labels && free >= 0 });
    this.place(this.on.at(-1), clock.now());
  }

  move(now) {
    this.on = this.on.filter((dot) => {
      const end = dot.times[4] + 250;
      if (now >= end) {
        dot.node.remove();
        this.free.push(dot.node);
        return false;
      }
      this.place(dot, now);
      return true;
    });
    return this.on.length > 0;
  }

  place(dot, now) {
    const { times, path, node } = dot;
    let leg = times.findIndex((time) => now < time) - 1;
    if (leg === -2) leg = 4; // after the last
    const calm = clock.calm.matches;
    const at = leg < 0 ? path[0] : leg > 3 ? path[4] : this.along(dot, leg, ease(times[leg], times[leg + 1], now));
    const [x, y] = calm ? path[3] : at;
    node.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
    node.setAttribute("opacity", leg < 0 ? 0 : leg > 3 ? Math.max(0, 1 - (now - times[4]) / 250) : 1);
    const stage = calm ? 3 : Math.max(0, leg);
    if (stage !== dot.stage) this.reach(dot, stage);
    if (!dot.labelled || !dot.width) return;
    // The label is at the right of the dot at first and at its left in the end, so that it never leaves the picture.
    const part = Math.max(0, Math.min(1, (x - path[1][0]) / (path[4][0] - path[1][0])));
    node.lastChild.setAttribute("x", (-dot.width * part).toFixed(1));
  }

  // To its track on the first leg, then along the track.
  along({ path }, leg, part) {
    const [a, b] = [path[leg], path[leg + 1]];
    if (leg > 0) return [between(a[0], b[0], part), between(a[1], b[1], part)];
    const turn = this.g.wide ? [this.g.door[0] + this.g.gap / 2, b[1]] : [b[0], this.g.door[1] + this.g.gap / 2];
    const [from, to, half] = part < 0.5 ? [a, turn, part * 2] : [turn, b, part * 2 - 1];
    return [between(from[0], to[0], half), between(from[1], to[1], half)];
  }

  // What is known of the request grows with each box.
  reach(dot, stage) {
    dot.stage = stage;
    set(dot.node.firstChild, { class: stage > 2 ? `dot ${kind(dot.sample.status)}` : "dot" });
    if (!dot.labelled || !stage) return;
    const text = sampleText(dot.sample, stage);
    dot.width = text.length * this.letter;
    dot.node.lastChild.textContent = text;
  }
}

// Refusals fall out of `request`, and lie under it for eight seconds with the rule that refused them.
class Falls {
  constructor() {
    this.on = [];
  }

  draw(group, g) {
    this.group = group;
    this.g = g.falls;
    this.on = [];
  }

  show(refusals, now) {
    for (const refusal of refusals.slice(-this.g.y.length)) {
      if (this.on.length === this.g.y.length) this.on.shift().node.remove();
      const text = fit(`${refusal.status} ${refusal.rule}`, this.g.w - 16);
      const node = svg(
        "a",
        { class: "fall", tabindex: -1, href: chapters.link(refusal.chapter) },
        svg("circle", { r: 4.5, cx: 0, cy: -4 }),
        svg("text", { x: 10 }, text),
      );
      this.group.append(node);
      this.on.push({ node, from: now });
    }
    frames.wake();
  }

  move(now) {
    this.on = this.on.filter(({ node, from }) => now < from + 8000 || node.remove());
    let moves = false;
    this.on.forEach((fall, i) => {
      const target = this.g.y[i];
      const part = clock.calm.matches ? 1 : ease(fall.from, fall.from + 600, now);
      const y = between(this.g.from, target, part);
      fall.node.setAttribute("transform", `translate(${this.g.x} ${y.toFixed(1)})`);
      const fades = now > fall.from + 7500;
      fall.node.setAttribute("opacity", fades ? ((fall.from + 8000 - now) / 500).toFixed(2) : 1);
      moves ||= part < 1 || fades;
    });
    // Between its fall and its end nothing moves: a timer, and not a frame, waits for the end.
    if (this.on.length && !moves) this.later(this.on[0].from + 7501 - now);
    return moves;
  }

  later(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => frames.wake(), Math.max(0, ms));
  }
}

// --- the page: what was seen ---

// What the page remembers of the ticks so far: rates, patterns and statuses, each within a limit.
class Seen {
  constructor() {
    this.rate = 0;
    this.rates = []; // a second each, at most 60
    this.patterns = new Map(); // pattern → times, at most 40
    this.statuses = [0, 0, 0, 0, 0, 0];
    this.second = null; // { t, served, drawn } at the beginning of this second
    this.drawn = 0; // samples so far
    this.lastSecond = [0, 0]; // samples and requests
  }

  tick(tick) {
    // Another server, or another watch, begins to count at zero.
    if (!this.second || tick.t < this.second.t || tick.served < this.second.served)
      this.second = { t: tick.t, served: tick.served, drawn: this.drawn };
    this.drawn += tick.samples.length;
    const passed = tick.t - this.second.t;
    if (passed >= 1000) {
      const served = tick.served - this.second.served;
      this.lastSecond = [this.drawn - this.second.drawn, served];
      this.rate = Math.round((served * 1000) / passed);
      this.second = { t: tick.t, served: tick.served, drawn: this.drawn };
      this.rates.push(this.rate);
      if (this.rates.length > 60) this.rates.shift();
    }
    for (const sample of tick.samples) this.sample(sample);
  }

  sample(sample) {
    const { pattern, status } = (this.last = sample);
    const name = pattern ?? "no pattern";
    this.statuses[Math.floor((status || 0) / 100)] = (this.statuses[Math.floor((status || 0) / 100)] || 0) + 1;
    this.patterns.set(name, (this.patterns.get(name) ?? 0) + 1);
    if (this.patterns.size > 40) this.patterns.delete([...this.patterns].sort((a, b) => a[1] - b[1])[0][0]);
  }

  topPatterns(limit) {
    return [...this.patterns].sort((a, b) => b[1] - a[1]).slice(0, limit);
  }

  statusText() {
    return [2, 3, 4, 5, 1]
      .filter((i) => this.statuses[i])
      .map((i) => `${i}xx ${count(this.statuses[i])}`)
      .join("  ");
  }
}

// The table under the picture: the numbers of the last tick, for eyes and for screen readers.
function showNumbers(tick, seen) {
  const { accept, counts } = tick;
  const rows = [
    ["state", "State of the server", tick.state],
    ...STATES.map((state) => [state, `Connections, ${state}`, count(counts[state])]),
    ["connections", "Connections, all", count(total(tick))],
    ["own", "Connections of this page", count(tick.own)],
    ["requests", "Requests in progress", count(tick.requests)],
    ["served", "Requests served since the figure is watched", count(tick.served)],
    ["rate", "Requests in the last second", count(seen.rate)],
    ["refused", "Refused", count(tick.refused)],
    ["accepted", "Accepted", count(accept.accepted)],
    ["transient", "Accept errors, retried at once", count(accept.transient)],
    ["waited", "Accept errors, retried after a sleep", count(accept.waited)],
    ["delay", "Sleep of the accept loop now", accept.delay_ms ? milliseconds(accept.delay_ms) : "none"],
  ];
  if (accept.limit)
    rows.push(["places", "Places free", `${count(accept.limit.available)} of ${count(accept.limit.max)}`]);
  for (const [gate, counted] of [
    ["TLS", accept.tls],
    ["PROXY", accept.proxy],
  ]) {
    for (const [key, value] of Object.entries(counted ?? {}))
      rows.push([`${gate}-${key}`, `${gate}: ${key.replaceAll("_", " ")}`, count(value)]);
  }
  const body = $("numbers").tBodies[0];
  while (body.rows.length > rows.length) body.lastChild.remove();
  rows.forEach(([id, name, value], i) => {
    const line = body.rows[i] ?? body.appendChild(html("tr", {}, html("th", { scope: "row" }), html("td")));
    set(line, { "data-of": id });
    say(line.cells[0], name);
    say(line.cells[1], value);
  });
}

const total = (tick) => STATES.reduce((sum, state) => sum + tick.counts[state], 0);

// The connections that are drawn. Costs nothing while it is folded.
function showConnections(tick) {
  if (!$("listed").open) return;
  const rows = tick.connections
    .slice(0, 40)
    .map((one) =>
      html(
        "tr",
        {},
        ...[
          `${named(one.id)}${one.tls ? ", TLS" : ""}${one.proxied ? ", PROXY" : ""}`,
          one.state,
          milliseconds(one.age_ms),
          one.protocol ?? "not known",
          one.requests,
          one.phase ? (WAITS[one.phase] ?? one.phase) : "",
          one.limit_ms ? `${milliseconds(one.left_ms)} of ${milliseconds(one.limit_ms)}` : "",
        ].map((text) => html("td", {}, String(text))),
      ),
    );
  $("listed")
    .querySelector("tbody")
    .replaceChildren(...rows);
}

function showAccepts(events) {
  const body = $("accepts").querySelector("tbody");
  for (const event of events) {
    const words =
      event.kind !== "error"
        ? (ACCEPT_WORDS[event.kind] ?? event.kind)
        : [event.errno, event.class].filter(Boolean).join(": ");
    body.prepend(
      html(
        "tr",
        {},
        html("td", {}, time(event.at)),
        html("td", {}, words),
        html("td", {}, event.delay_ms ? milliseconds(event.delay_ms) : ""),
      ),
    );
  }
  while (body.rows.length > 64) body.lastChild.remove();
}

// One new request a second, and none while the list is pointed at or has the focus: a line must not move under a finger.
class Latest {
  constructor(list, choose) {
    this.list = list;
    this.choose = choose;
    this.at = -Infinity;
  }

  show(samples, now) {
    if (!samples.length || now - this.at < 1000 || this.list.matches(":hover, :focus-within")) return;
    this.at = now;
    const sample = samples.at(-1);
    const button = html(
      "button",
      { type: "button", class: kind(sample.status) },
      html("b", {}, String(sample.status ?? sample.outcome)),
      ` ${sample.method} `,
      html("span", {}, patternOf(sample)),
      html("i", {}, microseconds(sample.us?.sent ?? 0)),
    );
    button.addEventListener("click", () => this.choose(sample));
    this.list.prepend(html("li", {}, button));
    while (this.list.children.length > ROWS) this.list.lastChild.remove();
  }
}

function showRefusals(refusals) {
  const list = $("refused");
  for (const refusal of refusals.slice(-ROWS)) {
    const rule = html("a", { href: chapters.link(refusal.chapter) }, refusal.rule);
    list.prepend(
      html(
        "li",
        { "data-name": refusal.name },
        html("b", {}, String(refusal.status)),
        " ",
        rule,
        html("i", {}, `at ${time(refusal.at)}`),
      ),
    );
  }
  while (list.children.length > ROWS) list.lastChild.remove();
}

// The state of the server in a word, and every ten seconds, or when the word changes, a sentence for screen readers.
class Word {
  show(tick, seen, now) {
    const all = total(tick);
    let [state, word] = ["serving", "serving"];
    if (tick.state === "retiring")
      [state, word] = ["draining", `leaving: each reply closes its connection, ${count(all)} left`];
    if (tick.state === "stopping")
      [state, word] = all
        ? ["draining", `draining: ${plural(all, "connection")} left`]
        : ["drained", "drained: every connection is closed"];
    this.say(state, word);
    if (this.spoken === state && now - this.at < 10_000) return;
    [this.spoken, this.at] = [state, now];
    const parts = STATES.filter((one) => tick.counts[one])
      .map((one) => `${count(tick.counts[one])} ${one}`)
      .join(", ");
    const slept = tick.accept.delay_ms ? ` The accept loop sleeps ${milliseconds(tick.accept.delay_ms)}.` : "";
    say(
      $("summary"),
      `${word}. ${plural(all, "connection")}${parts ? `: ${parts}` : ""}. ${plural(seen.rate, "request")} a second, ${count(tick.refused)} refused.${slept}`,
    );
  }

  say(state, word) {
    say($("state"), word);
    set($("state"), { "data-state": state });
    set(document.documentElement, { "data-state": state });
  }
}

// --- the page: panels ---

// Answers of the figure's own paths, as JSON. What fails is said where the answer would be. An answer that comes after that
// of a later question is dropped.
async function ask(path, into, show, options = {}) {
  const asked = (into.asked = (into.asked ?? 0) + 1);
  const put = (...children) => into.asked === asked && into.replaceChildren(...children);
  try {
    const reply = await fetch(path, options);
    if (!reply.ok) throw new Error(`${reply.status}: ${(await reply.text()).slice(0, 300)}`);
    put(...show(await reply.json()));
  } catch (error) {
    put(html("p", { class: "error" }, `No answer: ${error.message}`));
  }
}

// The chapters of the book: texts, links, Go's functions beside ours.
const chapters = {
  list: [],
  replay: { serve: [], serve_connection: [] },
  open: null,
  async load() {
    try {
      const loaded = await (await fetch("chapters.json")).json();
      [this.list, this.replay] = [loaded.chapters, loaded.replay];
    } catch {
      this.list = []; // the picture does without; a box then says that there is no text
    }
  },
  of(name) {
    return this.list.find((chapter) => chapter.crate === name);
  },
  // The address of `request/README.md#anchor`, by the link of the chapter `request`. A chapter without a link is opened in
  // the page.
  link(path) {
    const [file, anchor] = (path ?? "").split("#");
    const crate = file.split("/")[0];
    const link = this.of(crate)?.link;
    return link ? link + (anchor ? `#${anchor}` : "") : `#read-${crate}`;
  },
  // What `link` makes for a chapter without a link.
  start() {
    document.addEventListener("click", (event) => {
      const link = event.target.closest('a[href^="#read-"]');
      const name = (link?.getAttribute("href") ?? link?.href.baseVal)?.slice("#read-".length);
      if (!name) return;
      event.preventDefault();
      if (CRATES.includes(name) && this.open !== name) this.choose(name);
    });
  },
  choose(name) {
    const again = this.open === name;
    this.open = again ? null : name;
    for (const crate of CRATES) $(`box-${crate}`).setAttribute("aria-expanded", String(crate === this.open));
    const panel = $("chapter");
    panel.hidden = again;
    if (again) return $(`box-${name}`).focus();
    const chapter = this.of(name);
    const close = html("button", { type: "button" }, "Close");
    close.addEventListener("click", () => this.choose(name));
    panel.replaceChildren(
      html("h2", { id: "chapter-title" }, chapter?.title ?? name),
      ...(chapter?.paragraphs ?? ["The text of this chapter could not be loaded."]).map((text) =>
        html("p", {}, ...inline(text)),
      ),
      html("dl", { id: "chapter-numbers" }),
      ...goBeside(chapter),
      html(
        "p",
        { class: "controls" },
        ...(chapter?.link ? [html("a", { href: chapter.link }, "The whole chapter")] : []),
        close,
      ),
    );
    page.showChapterNumbers();
    panel.focus({ preventScroll: true });
    panel.scrollIntoView({ block: "nearest", behavior: clock.calm.matches ? "auto" : "smooth" });
  },
};

// The two marks of Markdown that the paragraphs have, `code` and *emphasis*, and the text of links.
function inline(text) {
  return text
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*]+\*)/)
    .filter(Boolean)
    .map((part) => {
      if (part.startsWith("`")) return html("code", {}, part.slice(1, -1));
      if (part.startsWith("**")) return html("strong", {}, part.slice(2, -2));
      return part.startsWith("*") && part.length > 2 ? html("em", {}, part.slice(1, -1)) : part;
    });
}

function goBeside(chapter) {
  if (!chapter?.go?.length) return [];
  const name = ({ go, link }) => (link ? html("a", { href: link }, go) : go);
  const titles = ["Step", "Go's", "Ours", "What differs"].map((text) => html("th", { scope: "col" }, text));
  const rows = chapter.go.map((line) =>
    html(
      "tr",
      {},
      ...[inline(line.step), [name(line)], [line.ours], [line.says]].map((cell) => html("td", {}, ...cell)),
    ),
  );
  const head = html("thead", {}, html("tr", {}, ...titles));
  return [html("table", { class: "go" }, html("caption", {}, "Go beside ours"), head, html("tbody", {}, ...rows))];
}

function explained(answer) {
  const row = (style, mark, pattern, why, at) =>
    html(
      "li",
      { class: style },
      html("b", {}, mark),
      " ",
      html("code", {}, pattern),
      ` ${why} `,
      at ? html("i", {}, at) : "",
    );
  const found = answer.candidates.map((one) =>
    row(one.wins ? "wins" : "loses", one.wins ? "✓" : "✗", one.pattern, one.verdict, one.at),
  );
  const near = answer.misses.map((one) => row("loses", "✗", one.pattern, one.why));
  const title =
    near.length && !found.length ? [html("p", { class: "note" }, "No pattern matches. The nearest are:")] : [];
  // The last line of the text is the answer; the lines above it are the list.
  const last = answer.answer.split("\n").at(-1).replace(/^-> /, "");
  return [
    html("p", { class: `answer ${kind(answer.status ?? 200)}` }, last),
    ...title,
    html("ul", { class: "rows" }, ...found, ...near),
  ];
}

// Two circles for two sets. [centre and radius of one, of the other, how they lie].
const CIRCLES = {
  Equivalent: [[160, 62], [160, 62], "The same set: each matches what the other matches."],
  MoreGeneral: [[160, 72], [176, 36], "The other is inside the one: it is more specific, and wins."],
  MoreSpecific: [[176, 36], [160, 72], "The one is inside the other: it is more specific, and wins."],
  Disjoint: [[82, 58], [238, 58], "Apart: no request matches both."],
  Overlaps: [[120, 66], [200, 66], "They overlap, and neither is inside the other."],
};

function related(answer) {
  if (answer.error) return [html("p", { class: "error" }, answer.error)];
  const [[ax, ar], [bx, br], words] = CIRCLES[answer.relation] ?? CIRCLES.Overlaps;
  const drawing = svg(
    "svg",
    { viewBox: "0 0 320 160", role: "img", class: answer.conflict ? "sets conflict" : "sets", "aria-label": words },
    svg("circle", { class: "a", cx: ax, cy: 80, r: ar }),
    svg("circle", { class: "b", cx: bx, cy: 80, r: br }),
    ...setLabels(answer.relation, ax, ar, bx, br),
  );
  const witness = answer.witness ?? {};
  const line = (term, request) => (request ? [html("dt", {}, term), html("dd", {}, html("code", {}, request))] : []);
  const list = html(
    "dl",
    {},
    ...line("Both match", witness.both),
    ...line("Only the one", witness.only_a),
    ...line("Only the other", witness.only_b),
  );
  return [
    html(
      "div",
      { class: "related" },
      drawing,
      html(
        "div",
        {},
        html("p", { class: answer.conflict ? "error" : "" }, words),
        html("p", {}, answer.says ?? ""),
        list,
      ),
    ),
  ];
}

function setLabels(relation, ax, ar, bx, br) {
  const label = (text, x) => svg("text", { class: "middle", x, y: 84 }, text);
  if (relation === "Equivalent") return [label("one = other", ax)];
  if (relation === "MoreGeneral") return [label("one", ax - ar + 30), label("other", bx)];
  if (relation === "MoreSpecific") return [label("other", bx - br + 30), label("one", ax)];
  return relation === "Disjoint"
    ? [label("one", ax), label("other", bx)]
    : [label("one", ax - 34), label("other", bx + 34), label("both", (ax + bx) / 2)];
}

// Bytes of a typed head: a line break is CR LF, and an escape is one byte.
function typedBytes(text) {
  const escapes = { n: 10, r: 13, t: 9, 0: 0, "\\": 92 };
  const bytes = [];
  for (const [part] of text.matchAll(/\\x[0-9a-fA-F]{2}|\\[nrt0\\]|\r?\n|[^]/gu)) {
    if (part.endsWith("\n")) bytes.push(13, 10);
    else if (part.startsWith("\\x")) bytes.push(parseInt(part.slice(2), 16));
    else if (part.length === 2 && part[0] === "\\") bytes.push(escapes[part[1]]);
    else bytes.push(...new TextEncoder().encode(part));
  }
  return new Uint8Array(bytes);
}

// A byte that cannot be seen, as the escape that stands for it in the field.
const SHORT = { "\r": "\\r", "\n": "\\n", "\t": "\\t", "\0": "\\0" };
const visible = (text) =>
  text.replace(/[\x00-\x1f\x7f]/g, (byte) => SHORT[byte] ?? `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`);

function parsed(answer, bytes) {
  const decoder = new TextDecoder();
  const classes = new Set();
  const code = html("pre", { class: "bytes", tabindex: "0", "aria-label": "The bytes, each part with its class" });
  for (const { start, end, text, class: name } of answer.bytes) {
    classes.add(name);
    const shown = bytes && end > start ? decoder.decode(bytes.subarray(start, end)) : (text ?? "");
    code.append(
      html("span", { class: `b-${name}`, title: `${name}, bytes ${start} to ${end}` }, visible(shown || text || "")),
    );
    if (name === "crlf" || (name === "body" && /\n$/.test(shown))) code.append("\n");
  }
  const verdict = answer.error
    ? html(
        "p",
        { class: "answer s4" },
        `Refused${answer.error.status ? ` with ${answer.error.status}` : ""}: ${answer.error.rule}${Number.isInteger(answer.error.offset) ? `, at byte ${answer.error.offset}` : ""}`,
      )
    : html("p", { class: "answer s2" }, "A whole head.");
  const legend = html(
    "p",
    { class: "legend" },
    ...[...classes].flatMap((name) => [html("span", { class: `b-${name}` }, name), " "]),
  );
  return [verdict, code, legend];
}

// Heads to try. What each is, and its text with escapes.
const HEADS = [
  ["a plain GET", "GET /hello/ada HTTP/1.1\nHost: localhost\nAccept: */*\n\n"],
  ["two framings (CL.TE)", "POST / HTTP/1.1\nHost: a\nContent-Length: 6\nTransfer-Encoding: chunked\n\n0\n\nG"],
  ["two lengths", "POST / HTTP/1.1\nHost: a\nContent-Length: 3\nContent-Length: 4\n\nabcd"],
  ["chunked, hidden by a tab", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding:\\tchunked, identity\n\n"],
  ["a bare line feed", "GET / HTTP/1.1\nHost: a\\nX-Smuggled: 1\n\n"],
  ["a space before the colon", "GET / HTTP/1.1\nHost: a\nContent-Length : 5\n\n"],
  ["two hosts", "GET / HTTP/1.1\nHost: a\nHost: b\n\n"],
  ["a folded line", "GET / HTTP/1.1\nHost: a\nX-A: 1\n folded\n\n"],
  ["a zero byte", "GET / HTTP/1.1\nHost: a\nX-A: 1\\02\n\n"],
];
const PAIRS = [
  ["overlap", "GET /files/{name}", "GET /{kind}/index"],
  ["inside", "/files/{path...}", "GET /files/{name}"],
  ["apart", "GET /a", "POST /a"],
  ["equal", "/items/{id}", "/items/{item}"],
];

function startForms() {
  const on = (id, run) =>
    $(id).addEventListener("submit", (event) => {
      event.preventDefault();
      run(event.target.elements);
    });
  on("explain", ({ method, host, path }) =>
    ask(
      `explain?${new URLSearchParams({ method: method.value, host: host.value, path: path.value })}`,
      $("explained"),
      explained,
    ),
  );
  const relation = $("relation").elements;
  const relate = () =>
    ask(`relation?${new URLSearchParams({ a: relation.a.value, b: relation.b.value })}`, $("related"), related);
  on("relation", relate);
  const field = $("head").elements.bytes;
  const parse = () => {
    const bytes = typedBytes(field.value);
    ask("head", $("parsed"), (answer) => parsed(answer, bytes), {
      method: "POST",
      body: bytes,
      headers: { "Content-Type": "application/octet-stream" },
    });
  };
  on("head", parse);
  $("own-head").addEventListener("click", () => ask("head", $("parsed"), (answer) => parsed(answer, null)));
  const example = (name, run) => {
    const button = html("button", { type: "button" }, name);
    button.addEventListener("click", run);
    return button;
  };
  $("relation-examples").append(
    ...PAIRS.map(([name, a, b]) => example(name, () => ([relation.a.value, relation.b.value] = [a, b]) && relate())),
  );
  $("head-examples").append(...HEADS.map(([name, text]) => example(name, () => (field.value = text) && parse())));
  field.value = HEADS[0][1];
}

// One served request through the two loops: the steps that it took, in the order of the source, with the line marked.
const STEP_WORDS = {
  accept: () => "The accept loop takes a client socket out of the backlog.",
  admit: ({ connection }) => `The socket becomes connection ${named(connection)}, in the state new.`,
  spawn: () => "The connection gets a task of its own. The loop accepts the next one.",
  open: () => "The wire is opened: the PROXY header and the TLS handshake, if the listener has them.",
  context: () => "The hook of the program may put values into the connection.",
  protocol: ({ version }) => `The protocol is chosen: this request came over HTTP/${version}.`,
  next: ({ us, method }) =>
    `The head of a ${method} request is read and parsed${Number.isFinite(us?.parsed) ? `, in ${microseconds(us.parsed)}` : ""}.`,
  begin: () => "The request begins: the state is active.",
  dispatch: ({ pattern, us }) =>
    `The mux finds ${pattern ? `the pattern ${pattern}` : "no pattern"}, and the handler returns a reply after ${microseconds(us?.handled ?? 0)}.`,
  last: () => "Is this the last request of the connection? A shutdown, its age or its number of requests would say so.",
  write: ({ status, us }) =>
    `The head of the reply, ${status ?? "none"}, and its body are sent, ${microseconds(us?.sent ?? 0)} after the head began.`,
  finish: ({ outcome }) => `The exchange is finished: ${outcome}.`,
  end_request: () => "The state is idle again, and the loop waits for the next request.",
  close: () => "The loop has ended: the connection is closed, so that the client can still read its last reply.",
};
const STEP_BOXES = { accept: 0, admit: 1, spawn: 1, open: 1, context: 1, protocol: 1, next: 2, begin: 2, dispatch: 3 };

const replay = {
  open(sample) {
    this.sample = sample;
    this.at = 0;
    this.steps = ["serve", "serve_connection"].flatMap((loop) => this.list(loop));
    say(
      $("replay-which"),
      `${sampleText(sample)}, connection ${named(sample.connection)}${Number.isInteger(sample.stream) ? ". Over HTTP/2 each stream takes these steps of a request in a task of its own" : ""}.`,
    );
    $("replay").hidden = false;
    this.show();
    $("replay").focus({ preventScroll: true });
    $("replay").scrollIntoView({ block: "start", behavior: clock.calm.matches ? "auto" : "smooth" });
  },
  // Writes the source of a loop, and returns its steps in order.
  list(loop) {
    const lines = (chapters.replay[loop] ?? []).map((line) => ({
      ...line,
      node: html("li", { value: line.line }, html("code", {}, line.text || " ")),
    }));
    $(loop === "serve" ? "replay-serve" : "replay-connection").replaceChildren(...lines.map((line) => line.node));
    return lines.filter((line) => line.step);
  },
  go(by) {
    if ($("replay").hidden || !this.steps.length) return;
    this.at = Math.min(this.steps.length - 1, Math.max(0, this.at + by));
    this.show();
  },
  show() {
    this.unmark();
    const step = this.steps[this.at];
    if (!step) return say($("replay-says"), "The source of the loops could not be loaded.");
    step.node.setAttribute("aria-current", "step");
    const list = step.node.parentElement;
    list.scrollTop = step.node.offsetTop - list.clientHeight / 2;
    const box = CRATES[STEP_BOXES[step.step] ?? 4];
    $(`box-${box}`).classList.add("here");
    say($("replay-count"), `step ${this.at + 1} of ${this.steps.length}, in ${box}`);
    say($("replay-says"), STEP_WORDS[step.step]?.(this.sample) ?? step.text.trim());
    $("replay-back").disabled = this.at === 0;
    $("replay-next").disabled = this.at === this.steps.length - 1;
  },
  unmark() {
    for (const line of document.querySelectorAll("[aria-current=step]")) line.removeAttribute("aria-current");
    for (const box of document.querySelectorAll(".box.here")) box.classList.remove("here");
  },
  close() {
    this.unmark();
    $("replay").hidden = true;
    $("latest").querySelector("button")?.focus();
  },
  start() {
    $("replay-back").addEventListener("click", () => this.go(-1));
    $("replay-next").addEventListener("click", () => this.go(1));
    $("replay-end").addEventListener("click", () => this.close());
    document.addEventListener("keydown", (event) => {
      if (event.target.matches("input, textarea") || event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key === "ArrowLeft") this.go(-1);
      if (event.key === "ArrowRight") this.go(1);
      if (event.key === "Escape" && !$("replay").hidden) this.close();
    });
  },
};

// --- the page as a whole ---

const marks = new Marks();
const loop = new AcceptLoop();
const sockets = new Sockets(marks, loop);
const dots = new Dots(marks);
const falls = new Falls();

const page = {
  boxes: new Boxes((name) => chapters.choose(name)),
  seen: new Seen(),
  word: new Word(),
  latest: new Latest($("latest"), (sample) => replay.open(sample)),
  last: null,
  tickMs: 250,

  // Draws everything anew for the width of the window.
  draw() {
    const width = Math.round($("stage").clientWidth);
    if (!width || width === this.width) return;
    const focused = document.activeElement?.id; // a box that has the focus keeps it
    this.width = width;
    const g = geometry(width);
    set($("moving"), { viewBox: `0 0 ${g.width} ${g.height}`, width: g.width, height: g.height });
    const layers = [svg("g"), svg("g"), svg("g")];
    $("moving").replaceChildren(...layers);
    this.boxes.draw(g);
    marks.draw(g);
    sockets.draw(layers[0]);
    dots.draw(layers[1], g);
    falls.draw(layers[2], g);
    loop.draw(g);
    if (this.last) this.show(this.last);
    if (focused?.startsWith("box-")) $(focused).focus();
  },

  tick(tick) {
    // With many connections the server walks them less often than it ticks: the last list stays.
    tick.connections ??= this.last?.connections ?? [];
    const [now, first] = [((clock.tick = tick.t), clock.now()), !this.last];
    this.last = tick;
    this.seen.tick(tick);
    marks.sampled(tick.samples, now);
    loop.hear(tick.accept.events ?? []);
    const came = this.show(tick);
    if (!first) sockets.show(came, now);
    dots.show(tick.samples, now, this.tickMs);
    falls.show(tick.refusals, now);
    this.latest.show(tick.samples, now);
    showRefusals(tick.refusals);
    showAccepts(tick.accept.events ?? []);
    showNumbers(tick, this.seen);
    showConnections(tick);
    this.word.show(tick, this.seen, now);
    this.showChapterNumbers();
    if (clock.byTicks) frames.frame();
  },

  show(tick) {
    this.boxes.show(tick, this.seen);
    loop.show(tick);
    const [drawn, all] = this.seen.lastSecond;
    say(
      $("drawn"),
      all > drawn
        ? `In the last second, ${count(drawn)} of ${plural(all, "request")} were drawn.`
        : "Every request is drawn.",
    );
    return marks.show(tick);
  },

  // The numbers of the chapter that is open are rows of the table.
  showChapterNumbers() {
    const list = $("chapter-numbers");
    if (!list || !this.last) return;
    const of = {
      listener: ["accepted", "transient", "waited", "delay", "places"],
      conn: [...STATES, "connections"],
      request: ["requests", "refused"],
      mux: ["served"],
      server: ["state", "served", "rate", "requests"],
    };
    const rows = of[chapters.open].flatMap((id) => $("numbers").querySelector(`[data-of=${id}]`) ?? []);
    if (list.children.length !== rows.length * 2) list.replaceChildren(...rows.flatMap(() => [html("dt"), html("dd")]));
    rows.forEach((line, i) => {
      say(list.children[2 * i], line.cells[0].textContent);
      say(list.children[2 * i + 1], line.cells[1].textContent);
    });
  },
};

// --- feed ---

// The stream of ticks. If it ends, the page says so and asks again, after one second and then less often. While the page is
// paused or hidden there is no stream, so the server does no work for it.
const feed = {
  source: null,
  delay: 1000,
  over: false, // the server said goodbye
  connect() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
    if (frames.paused || document.hidden) return;
    this.source = new EventSource("events");
    this.source.addEventListener("hello", (event) => {
      const hello = JSON.parse(event.data);
      page.tickMs = hello.tick_ms ?? 250;
      [this.delay, this.over] = [1000, false];
    });
    this.source.addEventListener("message", (event) => page.tick(JSON.parse(event.data)));
    this.source.addEventListener("bye", () => this.bye());
    this.source.addEventListener("error", () => this.ended());
  },
  bye() {
    this.over = true;
    // The last tick has the connections that were left; after the goodbye there are none.
    if (page.last)
      page.tick({
        ...page.last,
        state: "stopping",
        counts: { new: 0, active: 0, idle: 0, hijacked: 0 },
        requests: 0,
        connections: [],
        more_connections: 0,
        samples: [],
        skipped: 0,
        refusals: [],
        accept: { ...page.last.accept, open: false, events: [] },
      });
    this.ended();
  },
  // An EventSource would ask again by itself, but says neither that it does nor when.
  ended() {
    this.source?.close();
    this.source = null;
    if (!this.over) page.word.say("ended", `the feed has ended; asking again in ${milliseconds(this.delay)}`);
    this.timer = setTimeout(() => this.connect(), this.delay);
    this.delay = Math.min(10_000, this.delay * 2);
  },
  pause() {
    frames.paused = !frames.paused;
    clock.pause(frames.paused);
    set($("pause"), { "aria-pressed": frames.paused });
    say($("pause"), frames.paused ? "Go on" : "Pause");
    if (frames.paused) page.word.say("paused", "paused");
    this.connect();
    frames.wake();
  },
};

function start() {
  frames.movers = [loop, sockets, dots, falls];
  page.draw();
  new ResizeObserver(() => page.draw()).observe($("stage"));
  startForms();
  replay.start();
  chapters.start();
  $("pause").addEventListener("click", () => feed.pause());
  document.addEventListener("visibilitychange", () => feed.connect());
  chapters.load().then(() => feed.connect());
}

start();
