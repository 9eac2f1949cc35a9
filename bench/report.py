#!/usr/bin/env python3
"""Writes RESULTS.md and the charts from results.json."""
import html
import os

import results

HERE = os.path.dirname(os.path.abspath(__file__))
BAR, GAP, LABEL, WIDTH = 18, 6, 170, 640
COLOURS = {"httpants": "#c2410c", "floor": "#a8a29e"}
OTHER = "#57708a"


def where(part):
    machine = part["machine"]
    return (f"{commits(part)}, Rust {machine['rust']}, Linux {machine['kernel']}, "
            f"{machine['processors']} processors, {machine['model']}.\n")


def commits(part):
    """Returns the commit of the results, or the commits with the cases measured at each."""
    if "commit" in part:
        return f"Commit {part['commit']}"
    cases = {}
    for case, commit in part["commits"].items():
        cases.setdefault(commit, []).append(case)
    if len(cases) == 1:
        return f"Commit {next(iter(cases))}"
    return "Commits " + ", ".join(f"{commit} ({', '.join(names)})" for commit, names in cases.items())


def best(rounds, key="cpu"):
    """Returns the figure of the round with the least CPU time, which other load disturbed least."""
    return min(rounds, key=lambda row: row["cpu"])[key]


def servers(part):
    lines = ["## Servers", "", where(part)]
    tls = {scenario: rows for scenario, rows in part["measured"].items() if scenario.startswith("tls-")}
    plain = {scenario: rows for scenario, rows in part["measured"].items() if scenario not in tls}
    if plain:
        lines += table(plain, "`floor` is the runtime without HTTP code. A server that responds incorrectly in a scenario has no figure.")
    if tls:
        lines += ["", "### TLS 1.3", "", *table(tls, "`tls-handshake` is a new connection with a full handshake and a request, "
                                               "`tls-file-1m` a file of 1 MiB over kept-alive connections with AES-128-GCM. "
                                               "`floor` is rustls on blocking sockets without HTTP code.")]
    return lines


def table(measured, notes):
    names = list(dict.fromkeys(name for rows in measured.values() for name in rows))
    counts = {len(all_rounds) for rows in measured.values() for all_rounds in rows.values()}
    rounds = " or ".join(map(str, sorted(counts)))
    lines = [f"Server CPU per request in microseconds, with the part in user mode in brackets; the round with the least CPU time of {rounds} "
             f"round{'s' * (counts != {1})}. {notes}", "",
             "| server | " + " | ".join(measured) + " |", "|---|" + "---:|" * len(measured)]
    for name in sorted(names, key=order):
        cells = [f"{number(best(rows[name]))} ({number(best(rows[name], 'user'))})" if name in rows else ""
                 for rows in measured.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def order(name):
    """Sorts httpants first, then its lower bounds, then the other servers."""
    return (not name.startswith("httpants"), not name.startswith("floor"))


def number(value):
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def in_memory(part):
    lines = ["## In memory", "", where(part),
             "One request and its response without a socket: nanoseconds, instructions, allocations. httparse with a constant response "
             "is the minimum work of a server; http-net is measured in its fastest use, and as in its documentation. The cases from "
             "`multipart-parser` on are single functions. [README.md](README.md#in-memory) describes each.", ""]
    for case, rows in part["measured"].items():
        lines += [f"| {case} | ns | instructions | allocations |", "|---|---:|---:|---:|"]
        for name, row in rows.items():
            lines.append(f"| {name} | {row['nanoseconds']:,.0f} | {row['instructions']:,.0f} | {row['allocations']:.1f} |")
        lines.append("")
    return lines


def idle(part):
    lines = ["## An idle connection", "", where(part),
             "Resident bytes of a keep-alive connection that has had one response; `bare` is a task and a socket without HTTP.", "",
             "| runtime | demo | bare | more |", "|---|---:|---:|---:|"]
    for runtime, row in part["measured"].items():
        lines.append(f"| {runtime} | {row['demo']:,.0f} | {row['bare']:,.0f} | {row['demo'] - row['bare']:,.0f} |")
    return [*lines, ""]


def scale(part):
    lines = ["## Many connections", "", where(part),
             "Open connections whose requests wait 10 ms in the handler, 50 a second and connection, at most 4,000 in total: server CPU per "
             "request in microseconds, latency in milliseconds, and resident bytes of a connection before and while it is used.", ""]
    for count, rows in part["measured"]["held"].items():
        lines += [f"| {int(count):,} connections | CPU | p50 | p99 | p99.9 | bytes, idle | bytes, used |", "|---|" + "---:|" * 6]
        lines += [f"| {name} | {number(row['cpu'])} | {latencies(row)} | {row['idle_bytes']:,.0f} | {row['bytes']:,.0f} |"
                  for name, row in rows.items()]
        lines.append("")
    lines += ["## Latency at a fixed rate", "",
              "`GET /plaintext` on 64 connections, sent at scheduled times instead of after the previous response; `-2` has two workers on "
              "both processors, which they share with the load.", ""]
    for rate, rows in part["measured"]["fixed"].items():
        lines += [f"| {int(rate):,} requests a second | CPU | p50 | p99 | p99.9 |", "|---|" + "---:|" * 4]
        lines += [f"| {name} | {number(row['cpu'])} | {latencies(row)} |" for name, row in rows.items()]
        lines.append("")
    return lines


def latencies(row):
    return " | ".join(f"{row[key] / 1000:.2f}" for key in ("p50", "p99", "p999"))


def chart(title, values):
    """Returns a bar chart as SVG; shorter is better."""
    height = 40 + len(values) * (BAR + GAP)
    longest = max(values.values())
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12" '
             f'role="img" aria-label="{html.escape(title)}">',
             f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
             f'<text x="8" y="20" font-size="14" fill="#1c1917">{html.escape(title)}</text>']
    for place, (name, value) in enumerate(sorted(values.items(), key=lambda item: item[1])):
        y = 34 + place * (BAR + GAP)
        length = (WIDTH - LABEL - 70) * value / longest
        colour = COLOURS.get(name.split("-")[0], OTHER)
        parts += [f'<text x="{LABEL - 8}" y="{y + 13}" text-anchor="end" fill="#1c1917">{html.escape(name)}</text>',
                  f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>',
                  f'<text x="{LABEL + length + 6:.1f}" y="{y + 13}" fill="#1c1917">{number(value)}</text>']
    return "\n".join([*parts, "</svg>", ""])


def write(path, text):
    with open(os.path.join(HERE, path), "w") as file:
        file.write(text)


def main():
    everything = results.load()
    lines = ["# Results", "", "Written by `report.py`. Times differ between machines and between two runs on one; compare within a table. "
             "[README.md](README.md) describes the method.", ""]
    if part := everything.get("servers"):
        lines += servers(part) + [""]
        os.makedirs(os.path.join(HERE, "charts"), exist_ok=True)
        for scenario, rows in part["measured"].items():
            title = f"{scenario}: server CPU per request, microseconds (shorter is better)"
            write(f"charts/{scenario}.svg", chart(title, {name: best(rounds) for name, rounds in rows.items()}))
            lines += [f"![{scenario}](charts/{scenario}.svg)", ""]
    if part := everything.get("in_memory"):
        lines += in_memory(part)
    if part := everything.get("idle"):
        lines += idle(part)
    if part := everything.get("scale"):
        lines += scale(part)
    write("RESULTS.md", "\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
