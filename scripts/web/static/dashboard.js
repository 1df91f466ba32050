// The charts of the overview, and what is said of the connection: the pages themselves need no script.
"use strict";

const SHOWN = 300; // points of a chart: ten minutes
const LEAST = 60; // seconds that a chart begins with, without values

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

class Chart {
  constructor(place, names) {
    this.place = place;
    this.names = names;
    const now = Date.now() / 1000;
    this.data = [[now - LEAST, now], ...names.map(() => [null, null])];
    this.draw();
    new ResizeObserver(() => this.plot.setSize(this.size())).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  size() {
    const isFull = this.place.parentElement.classList.contains("full");
    const height = isFull ? Math.max(180, innerHeight - 130) : 180;
    return { width: Math.max(200, this.place.clientWidth), height };
  }

  // Enlarged by its button or a click into it, small again by the same or by Escape.
  enlargeable() {
    const figure = this.place.parentElement;
    const button = figure.querySelector("button");
    const toggle = (isFull) => {
      figure.classList.toggle("full", isFull);
      button.setAttribute("aria-expanded", isFull);
      button.textContent = isFull ? "Close" : "Enlarge";
      this.plot.setSize(this.size());
    };
    button.addEventListener("click", () => toggle(!figure.classList.contains("full")));
    this.place.addEventListener("dblclick", (event) => event.stopPropagation(), true);
    this.place.addEventListener("click", () => { if (!figure.classList.contains("full")) { toggle(true); button.focus(); } });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && figure.classList.contains("full")) toggle(false); });
    addEventListener("resize", () => this.plot.setSize(this.size()));
    return this;
  }

  draw() {
    if (this.plot) this.plot.destroy();
    const axis = { stroke: style("--ink"), grid: { stroke: style("--line") }, ticks: { stroke: style("--line") } };
    const colours = [style("--first"), style("--second")];
    const series = this.names.map((label, at) => ({ label, stroke: colours[at], width: 2, spanGaps: false, points: { show: false } }));
    const scales = { y: { range: (plot, low, high) => [0, Math.max(1, high || 0) * 1.1] } };
    const clock = (plot, ticks) => ticks.map((at) => new Date(at * 1000).toISOString().slice(11, 19));
    const options = { ...this.size(), series: [{}, ...series], axes: [{ ...axis, values: clock, space: 80 }, axis], scales, legend: { live: false } };
    this.plot = new uPlot(options, this.data, this.place);
  }

  add(at, values) {
    [at, ...values].forEach((value, index) => {
      this.data[index].push(value ?? null);
      if (this.data[index].length > SHOWN) this.data[index].shift();
    });
    this.plot.setData(this.data);
  }
}

function follow(live) {
  const rates = new Chart(document.getElementById("rates"), ["messages", "errors"]).enlargeable();
  const latencies = new Chart(document.getElementById("latencies"), ["p50", "p99"]).enlargeable();
  const state = document.getElementById("live-state");
  const words = state.textContent;
  let last = null;
  const say = (text, isBad) => { state.textContent = text; state.classList.toggle("problem", isBad); };

  live.addEventListener("figures", (event) => {
    const now = JSON.parse(event.detail.data);
    const at = Date.now() / 1000;
    const seconds = last && now.uptime - last.uptime;
    // A server that was restarted counts from nothing again.
    const rate = (name) => (seconds > 0 && now[name] >= last[name] ? (now[name] - last[name]) / seconds : null);
    if (last && now.uptime !== null) rates.add(at, [rate("requests"), rate("errors")]);
    if (now.uptime !== null) latencies.add(at, [now.p50, now.p99]);
    last = now.uptime === null ? null : now;
    say(now.uptime === null ? `The server does not answer; looking again since ${now.at}` : words, now.uptime === null);
    const shown = document.querySelector("#read-at span");
    if (shown && now.uptime !== null) shown.textContent = now.at;
  });
  live.addEventListener("ended", () => location.reload());
  live.addEventListener("htmx:sse:error", (event) => {
    if (event.detail.status === 401) location.reload();
    say("The dashboard does not answer: what is shown is old. Connecting again…", true);
  });
  live.addEventListener("htmx:sse:after:connection", () => say(words, false));
}

function followLog(rows) {
  const state = document.getElementById("follow-state");
  const words = state.textContent;
  const say = (text, isBad) => { state.textContent = text; state.classList.toggle("problem", isBad); };
  rows.addEventListener("looked", (event) => {
    const { problem } = JSON.parse(event.detail.data);
    say(problem ? `Nothing new can be seen now: ${problem}` : words, Boolean(problem));
  });
  rows.addEventListener("ended", () => location.reload());
  rows.addEventListener("htmx:sse:error", (event) => {
    if (event.detail.status === 401) location.reload();
    say("The dashboard does not answer: new lines are not shown. Connecting again…", true);
  });
}

const live = document.getElementById("live");
if (live) follow(live);
const rows = document.getElementById("follow");
if (rows) followLog(rows);
