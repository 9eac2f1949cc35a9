"""The report of a comparison, in Markdown."""

import collections
import datetime

BEGIN = "<!-- Written by oracle/compare: begin -->"
END = "<!-- Written by oracle/compare: end -->"


def write(path, cases, results, versions):
    """Replaces the text between the marks in the document."""
    text = path.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    path.write_text(before + BEGIN + "\n\n" + Report(cases, results, versions).text() + "\n" + END + after)


def table(heading, rows):
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("|" + "|".join(cells) + "|" if cells[0] == "---" else "| " + " | ".join(map(str, cells)) + " |" for cells in lines)


def escaped(text):
    return text.replace("|", "\\|")


class Report:
    def __init__(self, cases, results, versions):
        self.cases, self.versions = cases, versions
        self.others = {key: outcomes for key, outcomes in results.items() if key[0] != "httpants"}

    def ours(self, case):
        return sum(status < 400 or status == 405 for status in case["responses"])

    def more(self, key, index):
        return self.others[key][index].accepted > self.ours(self.cases[index])

    def less(self, key, index):
        return self.others[key][index].accepted < self.ours(self.cases[index])

    def hidden(self, key, index):
        expected = any(request["target"] == "/hidden" for request in self.cases[index]["requests"])
        return self.others[key][index].hidden and not expected

    def count(self, key, judge, indexes):
        return sum(judge(key, index) for index in indexes)

    def text(self):
        date = datetime.date.today()
        parts = [
            f"{len(self.cases)} inputs of `corpus/cases.json` were sent to {len(self.others)} servers and proxies on {date:%-d %B %Y}, each over "
            "its own\nconnection, to the application of `oracle/servers` or through the proxy to this server. *Accepts more* counts "
            "the inputs of which a\nserver accepts more requests than this one, *accepts less* those of which it accepts fewer. *Hidden* counts "
            "the inputs whose\nrequest `GET /hidden` gets a response there and not here; that is request smuggling only if a proxy "
            "before the server\nparses the bytes differently.",
            self.servers(),
            "### By rule\n\nThe number of inputs refused here of which a server accepts more, for each [rule](../protocol.md#refusals); a dot is "
            "none.\n\n" + self.by_rule(False),
            "Proxies before this server, which checks the forwarded requests again:\n\n" + self.by_rule(True),
            "### What most servers accept\n\nInputs refused here of which at least half of the servers accept more:\n\n" + self.widely_accepted(),
            "### What others refuse\n\nInputs of which servers accept fewer requests than this one:\n\n" + self.refused_elsewhere(),
        ]
        return "\n\n".join(parts) + "\n"

    def servers(self):
        every = range(len(self.cases))
        judges = [self.more, self.less, self.hidden]
        rows = [
            [name, self.versions[key], "proxy" if proxy else "server", *(self.count(key, judge, every) for judge in judges)]
            for key in self.others for name, proxy in [key]
        ]
        return table(["server", "version", "role", "accepts more", "accepts less", "hidden"], rows)

    def by_rule(self, proxy):
        keys = [key for key in self.others if key[1] == proxy]
        groups = collections.defaultdict(list)
        for index, case in enumerate(self.cases):
            groups[case["rule"]].append(index)
        refused = sorted((rule for rule in groups if rule), key=lambda rule: (-len(groups[rule]), rule))
        rows = [[f"`{rule}`", len(groups[rule]), *(self.count(key, self.more, groups[rule]) or "·" for key in keys)] for rule in refused]
        return table(["rule", "inputs", *(name for name, _ in keys)], rows)

    def titles(self):
        groups = collections.defaultdict(list)
        for index, case in enumerate(self.cases):
            groups[case["family"], case["title"], case["rule"]].append(index)
        return groups

    def widely_accepted(self):
        rows = []
        for (family, title, rule), indexes in self.titles().items():
            if rule is None:
                continue
            servers = [key for key in self.others if any(self.more(key, index) for index in indexes)]
            if 2 * len(servers) >= len(self.others):
                rows.append([escaped(title), family, f"`{rule}`", len(indexes), len(servers)])
        rows.sort(key=lambda row: (-row[4], row[1], row[0]))
        return table(["input", "family", "rule", "inputs", f"servers, of {len(self.others)}"], rows)

    def refused_elsewhere(self):
        rows = []
        for (family, title, rule), indexes in self.titles().items():
            servers = [key for key in self.others if any(self.less(key, index) for index in indexes)]
            if servers:
                names = ", ".join(name + (" (proxy)" if proxy else "") for name, proxy in servers)
                rows.append([escaped(title), family, f"`{rule}`" if rule else "accepted", names, len(servers)])
        rows.sort(key=lambda row: (-row[4], row[1], row[0]))
        return table(["input", "family", "verdict here", "accepts less"], [row[:4] for row in rows])
