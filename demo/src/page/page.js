
"use strict";

// What comes from the network is shown as text, never as HTML: the policy of the page forbids it.
const at = id => document.getElementById(id);
const numbers = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  for (; count >= 1024 && unit < units.length - 1; unit++) count /= 1024;
  return `${numbers.format(count)} ${units[unit]}`;
}

function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function row(...cells) {
  const made = document.createElement("tr");
  made.append(...cells);
  return made;
}

function fact(name, value) {
  const head = element("th", name);
  head.scope = "row";
  return row(head, element("td", value));
}

function say(id, text, isBad = false) {
  at(id).textContent = text;
  at(id).classList.toggle("bad", isBad);
}

// Adds a line to a log, of which the last hundred are kept.
function log(id, ...parts) {
  const line = document.createElement("li");
  line.append(...parts);
  at(id).append(line);
  if (at(id).childElementCount > 100) at(id).firstElementChild.remove();
  at(id).scrollTop = at(id).scrollHeight;
}

async function text(url) {
  const response = await fetch(url, { cache: "no-store" });
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return response.text();
}

// The state and the counters of the server, while the page is visible.
async function showHealth() {
  const [label, state] = await fetch("/healthz", { cache: "no-store" }).then(
    response => response.ok ? ["healthy", "good"] : ["draining", "bad"], () => ["unreachable", "bad"]);
  if (at("health").textContent !== label) at("health").textContent = label;
  at("health").className = `pill ${state}`;
}

async function showMetrics() {
  const lines = (await text("/metrics")).trim().split("\n").map(line => line.match(/^(.*) (\d+)$/).slice(1));
  const counter = new Map(lines.map(([name, value]) => [name, Number(value)]));
  const of = name => counter.get(`httpants_${name}`);
  at("requests").textContent = numbers.format(of("requests_total"));
  at("connections").textContent = numbers.format(of("connections_open"));
  at("received").textContent = bytes(of("received_bytes_total"));
  at("sent").textContent = bytes(of("sent_bytes_total"));
  const classes = ["2xx", "4xx", "5xx"].map(name => numbers.format(of(`responses_total{class="${name}"}`)));
  at("classes").textContent = classes.join(" · ");
}

async function watch() {
  if (document.visibilityState === "visible") {
    await showHealth();
    await showMetrics().catch(() => {});
  }
  setTimeout(watch, 3000);
}

async function showRequest() {
  const request = JSON.parse(await text(`/inspect${location.search}`));
  const variables = map => Object.entries(map).map(([name, values]) => `${name} = ${[values].flat().join(", ")}`);
  at("facts").tBodies[0].replaceChildren(
    fact("Method", request.method),
    fact("Target", request.url),
    fact("Version", request.protocol),
    fact("Scheme", request.scheme),
    fact("Host", request.host),
    fact("Your address", request.remote_ip || "a unix socket"),
    fact("Query", variables(request.get).join("\n") || "none"),
    fact("Cookies", Object.keys(request.cookies).join(", ") || "none"),
  );
  at("headers").tBodies[0].replaceChildren(...request.headers.map(([name, value]) => fact(name, value)));
  at("json").textContent = JSON.stringify(request, null, 2);
}

function prepareUpload() {
  let running = null;
  const end = (state, isBad) => {
    running = null;
    [at("upload-start").disabled, at("upload-cancel").disabled] = [false, true];
    say("upload-state", state, isBad);
  };
  const show = ({ filename, content_type, size, sha256 }) => {
    const item = document.createElement("li");
    item.append(element("b", filename), " ", element("small", `${content_type}, ${bytes(size)}`), element("code", sha256));
    return item;
  };
  at("upload-form").addEventListener("submit", event => {
    event.preventDefault();
    const started = performance.now();
    running = new XMLHttpRequest();
    const request = running;
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      at("upload-progress").value = total > 0 ? loaded / total : 1;
      say("upload-state", `${bytes(loaded)} of ${bytes(total)} sent`);
    });
    request.addEventListener("load", () => {
      if (request.status !== 200) return end(`${request.status}: ${request.responseText.trim()}`, true);
      const { files, body_size } = JSON.parse(request.responseText);
      const received = Object.values(files).flat();
      const seconds = (performance.now() - started) / 1000;
      at("uploaded").replaceChildren(...received.map(show));
      end(`${received.length} files, ${bytes(body_size)} in ${numbers.format(seconds)} s`);
    });
    request.addEventListener("error", () => end("The connection was closed; the upload may be too large.", true));
    request.addEventListener("abort", () => end("cancelled"));
    request.open("POST", "/inspect");
    request.send(new FormData(event.target));
    [at("upload-start").disabled, at("upload-cancel").disabled] = [true, false];
  });
  at("upload-cancel").addEventListener("click", () => running?.abort());
}

function prepareEvents() {
  let source = null;
  const stop = () => {
    source?.close();
    [at("events-start").disabled, at("events-stop").disabled] = [false, true];
    say("events-state", "not connected");
  };
  at("events-start").addEventListener("click", () => {
    [at("events-start").disabled, at("events-stop").disabled] = [true, false];
    say("events-state", "connecting");
    source = new EventSource("/events?count=5&delay=500&retry=1500");
    let isFirst = false;
    source.addEventListener("open", () => {
      isFirst = true;
      say("events-state", "connected");
    });
    source.addEventListener("message", event => {
      const { number, after } = JSON.parse(event.data);
      if (isFirst && after !== null) {
        log("events-log", element("span", `connected again with Last-Event-ID ${after}`, "mark"));
      }
      isFirst = false;
      log("events-log", `event ${number} `, element("small", `id ${event.lastEventId}`));
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) return stop();
      say("events-state", "the stream ended; connecting again");
    });
  });
  at("events-stop").addEventListener("click", stop);
}

function prepareWebSocket() {
  let socket = null;
  const enable = (isOpen, state) => {
    [at("ws-open").disabled, at("ws-close").disabled, at("ws-send").disabled] = [isOpen, !isOpen, !isOpen];
    say("ws-state", state);
  };
  at("ws-open").addEventListener("click", () => {
    at("ws-open").disabled = true;
    say("ws-state", "connecting");
    socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws`);
    socket.addEventListener("open", () => enable(true, "connected"));
    socket.addEventListener("message", event => log("ws-log", element("span", "← ", "mark"), String(event.data)));
    socket.addEventListener("close", event => enable(false, `closed with code ${event.code}`));
  });
  at("ws-form").addEventListener("submit", event => {
    event.preventDefault();
    if (socket?.readyState !== WebSocket.OPEN) return;
    socket.send(at("ws-text").value);
    log("ws-log", `→ ${at("ws-text").value}`);
    at("ws-text").select();
  });
  at("ws-close").addEventListener("click", () => socket.close(1000));
}

function prepareStream() {
  let control = null;
  // The height of a bar is the share of all bytes that have arrived by then.
  const draw = (received, total) => {
    const bar = document.createElement("span");
    bar.style.height = `${Math.max(2, 100 * received / total)}%`;
    at("stream-bars").append(bar);
  };
  const read = async query => {
    const total = query.get("chunks") * query.get("size");
    const [started, step] = [performance.now(), total / 100];
    const response = await fetch(`/stream?${query}`, { signal: control.signal });
    if (!response.ok) throw new Error((await response.text()).trim());
    const reader = response.body.getReader();
    let [received, drawn] = [0, 0];
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      received += piece.value.length;
      if (received - drawn >= step || received === total) {
        draw(received, total);
        drawn = received;
      }
      const seconds = (performance.now() - started) / 1000;
      say("stream-state", `${bytes(received)} of ${bytes(total)} in ${numbers.format(seconds)} s`);
    }
  };
  at("stream-form").addEventListener("submit", async event => {
    event.preventDefault();
    control = new AbortController();
    at("stream-bars").replaceChildren();
    [at("stream-start").disabled, at("stream-stop").disabled] = [true, false];
    try {
      await read(new URLSearchParams(new FormData(event.target)));
    } catch (error) {
      say("stream-state", control.signal.aborted ? "stopped" : error.message, !control.signal.aborted);
    }
    [at("stream-start").disabled, at("stream-stop").disabled] = [false, true];
  });
  at("stream-stop").addEventListener("click", () => control.abort());
}

// Eight bytes in each line, as numbers and as text.
function dump(content, first) {
  const lines = [];
  for (let offset = 0; offset < content.length; offset += 8) {
    const part = [...content.subarray(offset, offset + 8)];
    const hexadecimal = part.map(byte => byte.toString(16).padStart(2, "0")).join(" ");
    const shown = part.map(byte => byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".").join("");
    lines.push(`${String(first + offset).padStart(6, "0")}  ${hexadecimal.padEnd(23)}  ${shown}`);
  }
  return lines.join("\n");
}

function prepareFiles() {
  const links = [...document.querySelectorAll("#files a")];
  for (const link of links) {
    link.nextElementSibling.textContent = bytes(Number(link.dataset.size));
    at("range-file").append(new Option(link.textContent, link.getAttribute("href")));
  }
  at("range-get").disabled = links.length === 0;
  at("range-form").addEventListener("submit", async event => {
    event.preventDefault();
    const [first, last] = [Number(at("range-first").value), Number(at("range-last").value)];
    const range = `bytes=${first}-${last}`;
    const response = await fetch(at("range-file").value, { headers: { Range: range }, cache: "no-store" });
    const content = new Uint8Array(await response.arrayBuffer());
    const fields = ["Content-Range", "Content-Length", "Content-Type", "ETag"];
    const received = fields.filter(name => response.headers.has(name));
    at("range-head").tBodies[0].replaceChildren(
      fact("Range", `${range} (sent)`),
      fact("Status", `${response.status} ${response.statusText}`),
      ...received.map(name => fact(name, response.headers.get(name))),
    );
    const start = response.status === 206 ? first : 0;
    at("range-bytes").textContent = dump(content.subarray(0, 1024), start);
    at("range-bytes").hidden = content.length === 0;
  });
}

// Sizes as the browser has counted them. Requests differ by a parameter, so that each has its own entry.
async function measure(label, path, options, index) {
  const url = new URL(path, location.href);
  url.searchParams.set("measure", `${performance.now()}-${index}`);
  const entry = new Promise(resolve => {
    const observer = new PerformanceObserver(list => {
      const found = list.getEntriesByName(url.href)[0];
      if (found) {
        observer.disconnect();
        resolve(found);
      }
    });
    observer.observe({ type: "resource" });
  });
  const response = await fetch(url, { ...options, cache: "no-store" });
  if (!response.ok) throw new Error(`${label}: ${response.status} ${response.statusText}`);
  await response.arrayBuffer();
  const { encodedBodySize, decodedBodySize } = await entry;
  return { label, sent: encodedBodySize, plain: decodedBodySize, coding: response.headers.get("Content-Encoding") };
}

function showSize({ label, plain, sent, coding }) {
  const name = element("th", label);
  name.scope = "row";
  const bar = document.createElement("progress");
  [bar.max, bar.value] = [plain, sent];
  bar.setAttribute("aria-label", `${label}: ${Math.round(100 * sent / plain)} %`);
  const share = document.createElement("td");
  share.append(bar);
  return row(name, element("td", bytes(plain), "number"), element("td", bytes(sent), "number"),
    element("td", coding ?? "none"), share);
}

function prepareCompression() {
  at("compression-start").addEventListener("click", async () => {
    const html = { headers: { Accept: "text/html" } };
    const resources = [
      ["this page", "/", html], ["64 KiB of lines", "/lines?size=65536"], ["1 MiB of lines", "/lines?size=1048576"],
      ["your request as JSON", "/inspect"],
    ];
    at("compression-start").disabled = true;
    try {
      const sizes = [];
      for (const [index, [label, path, options]] of resources.entries()) {
        sizes.push(await measure(label, path, options, index));
      }
      at("sizes").tBodies[0].replaceChildren(...sizes.map(showSize));
      at("sizes").hidden = false;
      say("compression-state", sizes.some(size => size.coding !== null)
        ? "" : "This server was started without --compress, so it sends everything as it is.");
    } catch (error) {
      say("compression-state", error.message, true);
    }
    at("compression-start").disabled = false;
  });
}

function showCommands() {
  const file = document.querySelector("#files a")?.getAttribute("href") ?? "/file/NAME";
  at("commands").textContent = [
    `curl -i ${location.origin}/any/path?a=1`,
    `curl -F note=hello -F file=@FILE ${location.origin}/inspect`,
    `curl -N -H "Last-Event-ID: 41" ${location.origin}/events`,
    `curl -i -r 0-63 ${location.origin}${file}`,
    `curl -i --compressed ${location.origin}/lines`,
  ].join("\n");
}

showRequest().catch(error => at("facts").tBodies[0].replaceChildren(fact("Error", error.message)));
prepareUpload();
prepareEvents();
prepareWebSocket();
prepareStream();
prepareFiles();
prepareCompression();
showCommands();
watch();
