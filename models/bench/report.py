"""Tables and plots of results. Results of a kind of processor are docs/benchmarks/KIND.json; all else is made from them."""

import json
import math
import pathlib
import re
import sys
import tempfile

import plot

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "docs/benchmarks"
TITLES = {"ort": "ONNX Runtime", "openvino": "OpenVINO", "rten": "rten", "tract": "tract", "qrun": "qrun", "ort-int8": "ONNX Runtime int8", "qrun-int8": "qrun int8"}
FLOATS = ["ort", "openvino", "rten", "tract"]


def replace(path, text):
    """Writes a file that appears whole."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as f:
        f.write(text)
    new = pathlib.Path(f.name)
    new.chmod(0o644)
    new.replace(path)


def times(cell, what="p10_ms"):
    """A figure by peer, of those that could be measured."""
    return {r["peer"]: r[what] for r in cell["results"] if "error" not in r}


def fastest(cell):
    """The time of the fastest other runtime in float32, or None."""
    t = times(cell)
    return min((t[p] for p in FLOATS if p in t), default=None)


def ratio(other, own):
    return None if other is None or own is None else other / own


def ratios(cell):
    """By how much qrun is faster: in float32 than the fastest, in int8 than ONNX Runtime."""
    t = times(cell)
    return ratio(fastest(cell), t.get("qrun")), ratio(t.get("ort-int8"), t.get("qrun-int8"))


def mean(values):
    """The geometric mean of those that are there."""
    there = [v for v in values if v is not None]
    return math.exp(sum(map(math.log, there)) / len(there)) if there else None


def number(ms):
    return "" if ms is None else f"{ms:.3f}" if ms < 1 else f"{ms:.2f}" if ms < 10 else f"{ms:.1f}" if ms < 100 else f"{ms:.0f}"


def factor(x):
    return "" if x is None else f"{x:.2f}x"


def row(*cells):
    return "| " + " | ".join(cells) + " |\n"


def head(*cells):
    return row(*cells) + "|" + "---|" * len(cells) + "\n"


def cell_text(cell):
    """One cell as lines for the terminal."""
    plain = max((r["peer"] for r in cell["results"]), key=len)
    lines = [f"{cell['model']} {cell['shape']}, {cell['threads']} thread{'s' * (cell['threads'] > 1)}"]
    for r in cell["results"]:
        name = r["peer"].ljust(len(plain) + 2)
        if "error" in r:
            lines.append(f"  {name}{r['error']}")
        else:
            lines.append(f"  {name}p10 {number(r['p10_ms']):>7}  median {number(r['median_ms']):>7}  load {number(r['load_ms']):>7}  first {number(r['first_ms']):>7} ms"
                         f"  peak {r['peak_kb'] / 1024:5.0f} MB  {r['runs']} runs")
    floats, ints = ratios(cell)
    lines.append(f"  qrun against the fastest {factor(floats) or '-'}, int8 against ONNX Runtime's {factor(ints) or '-'}")
    return "\n".join(lines)


def table(cells, first):
    """A table of cells with one number of threads; the peers that nobody could measure have no column."""
    peers = [p for p in TITLES if any(p in times(c) for c in cells)]
    floats = [p for p in peers if p in FLOATS]
    ints = [p for p in peers if p.endswith("int8")]
    titles = [first, *(TITLES[p] for p in floats)]
    if "qrun" in peers:
        titles += ["**qrun**", "against the fastest", "against ONNX Runtime"]
    if ints:
        titles += [*(f"**{TITLES[p]}**" if p == "qrun-int8" else TITLES[p] for p in ints), "against it", "int8 against float32"]
    text = head(*titles)
    sums = [[], [], [], []]
    for c in cells:
        t = times(c)
        a, b = ratios(c)
        against = ratio(t.get("ort"), t.get("qrun"))
        own = ratio(t.get("qrun"), t.get("qrun-int8"))
        for s, x in zip(sums, (a, against, b, own)):
            s.append(x)
        line = [c["label"], *(number(t.get(p)) for p in floats)]
        if "qrun" in peers:
            line += [f"**{number(t.get('qrun'))}**", factor(a), factor(against)]
        if ints:
            line += [*(f"**{number(t.get(p))}**" if p == "qrun-int8" else number(t.get(p)) for p in ints), factor(b), factor(own)]
        text += row(*line)
    if len(cells) > 1:
        line = ["geometric mean", *("" for _ in floats)]
        if "qrun" in peers:
            line += ["", factor(mean(sums[0])), factor(mean(sums[1]))]
        if ints:
            line += [*("" for _ in ints), factor(mean(sums[2])), factor(mean(sums[3]))]
        text += row(*line)
    return text


def encoders(document):
    """Names of models that were measured with several shapes, in their order."""
    shapes = {}
    for c in document["cells"]:
        shapes.setdefault(c["model"], set()).add(c["shape"])
    return [m for m, s in shapes.items() if len(s) > 1]


def memory_table(cells):
    """Load, first run, memory and allocations of the cells."""
    text = head("", "load, ms", "first run, ms", "peak memory, MB", "allocations of a run")
    for c in cells:
        for r in c["results"]:
            if "error" in r:
                continue
            a = c.get("allocations", {}).get(r["peer"])
            counted = f"{a['count']:.0f}, {a['bytes'] / 1024:.0f} KiB" if a else ""
            text += row(f"{c['label']} {TITLES[r['peer']]}", number(r["load_ms"]), number(r["first_ms"]), f"{r['peak_kb'] / 1024:.0f}", counted)
    return text


def conditions(d):
    names = {"ort": "onnxruntime"}
    measured = [p for p in FLOATS if any(p in times(c) for c in d["cells"])]
    versions = ", ".join(f"{TITLES[p]} {d['versions'].get(names.get(p, p), '')}".strip() for p in measured)
    hidden = {"amx": "AMX", "avx512": "AVX-512, AVX-VNNI and AMX"}.get(d.get("hidden"))
    held = f", by masking CPUID for the other runtimes ({hidden} hidden) and by `QRUN_BACKEND` for qrun" if hidden else ""
    return (f"{d['cpu']}, {d['processors']} processors, tier `{d['backend']}`{held}; {d['system']}; {versions}; qrun {d['versions'].get('qrun', '')}, "
            f"{d['versions'].get('go', '')}; {d['date']}. p10 in milliseconds, all in turns in one run.\n")


def threads_text(n):
    return "One thread" if n == 1 else f"{n} threads"


def tables(d):
    """All that is to be said of a kind of processor, in Markdown."""
    text = f"### {d['kind']}\n\n{conditions(d)}"
    threads = sorted({c["threads"] for c in d["cells"]})
    several = encoders(d)
    for model in several:
        for n in threads:
            cells = [dict(c, label=c["shape"].replace("x", "×")) for c in d["cells"] if c["model"] == model and c["threads"] == n]
            if cells:
                text += f"\n{threads_text(n)}, {model}, batch × tokens:\n\n{table(cells, '')}"
    for n in threads:
        cells = [dict(c, label=c["model"]) for c in d["cells"] if c["model"] not in several and c["threads"] == n]
        if cells:
            text += f"\n{threads_text(n)}, other models:\n\n{table(cells, 'model')}"
    reference = [dict(c, label="") for c in d["cells"] if c["model"] in several and c["threads"] == 1 and c["shape"] == "1x128"]
    if reference:
        text += f"\nLoad, first run and memory, {reference[0]['model']}, 1×128, one thread:\n\n{memory_table(reference)}"
    return text + complaints(d)


def complaints(d):
    """What could not be measured, and why."""
    models = {}
    for c in d["cells"]:
        for r in c["results"]:
            if "error" in r:
                models.setdefault((TITLES.get(r["peer"], r["peer"]), r["error"].replace("\n", " ")), {})[c["model"]] = c["threads"]
    said = [f"{peer} on {', '.join(names)} (`{error}`)" for (peer, error), names in models.items()]
    return f"\nNot measured: {'; '.join(said)}.\n" if said else ""


def short_table(d):
    """For README.md: one model, one thread."""
    cells = [dict(c, label=c["shape"].replace("x", "×")) for c in d["cells"] if c["model"] == "all-minilm-l6-v2" and c["threads"] == 1]
    return table(cells, "tokens")


def keep(document, add):
    """Stores results under their kind of processor; with add, beside those of other cells there."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{document['kind']}.json"
    if add and path.exists():
        key = lambda c: (c["model"], c["shape"], c["threads"])
        new = {key(c) for c in document["cells"]}
        document["cells"] = [c for c in json.loads(path.read_text())["cells"] if key(c) not in new] + document["cells"]
    models = list(dict.fromkeys(c["model"] for c in document["cells"]))
    size = lambda c: [int(n) for n in re.findall(r"\d+", c["shape"])]
    document["cells"].sort(key=lambda c: (models.index(c["model"]), size(c), c["threads"]))
    replace(path, json.dumps(document, indent=1) + "\n")


def part(text, name, content):
    """Replaces what is between <!-- name --> and <!-- end -->."""
    begin = f"<!-- {name} -->\n"
    before, found, rest = text.partition(begin)
    _, found2, after = rest.partition("<!-- end -->")
    if not found or not found2:
        raise SystemExit(f"there is no part {name!r}")
    return before + begin + content + "<!-- end -->" + after


def render(draw=None):
    """Makes everything that is made from results; draw(bars, path) makes a plot. Without it, only sees that all is made."""
    documents = [json.loads(p.read_text()) for p in sorted(RESULTS.glob("*.json"))]
    plots = {RESULTS / f"{d['kind']}.svg": plot.bars(d, ratios) for d in documents}
    files = {}
    page = ROOT / "docs/performance.md"
    files[page] = part(page.read_text(), "benchmarks", "\n" + "\n".join(f"{tables(d)}\n![Ratios on {d['kind']}](benchmarks/{d['kind']}.svg)\n" for d in documents) + "\n")
    readme = ROOT / "README.md"
    text = readme.read_text()
    for d in documents:
        if f"<!-- benchmark {d['kind']} -->\n" in text:
            text = part(text, f"benchmark {d['kind']}", short_table(d))
    files[readme] = text
    stale = [p for p, new in files.items() if not p.exists() or p.read_text() != new]
    stale_plots = [p for p, drawn in plots.items() if not p.exists() or plot.digest(drawn) not in p.read_text()]
    if draw is None:
        for p in stale + stale_plots:
            print(f"{p.relative_to(ROOT)} is not what the results say: run models/bench/bench.py --render", file=sys.stderr)
        return 1 if stale or stale_plots else 0
    for p in stale:
        replace(p, files[p])
    for p in stale_plots:
        draw(plots[p], p)
    return 0
