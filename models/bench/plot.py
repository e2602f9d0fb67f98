"""The plot of a document of results: bars of the ratio per model and shape, as SVG.

Other modules import what needs no package; run as a program, with matplotlib, it draws: plot.py BARS.json OUT.svg.
"""

import hashlib
import json
import sys

INK, FLOAT, INT8 = "#57606a", "#4c8eda", "#2da44e"  # readable on light and dark pages


def bars(document, ratios):
    """What is drawn: qrun's speed over the fastest other runtime, float32 and int8, of every cell, by number of threads."""
    groups = {}
    for c in document["cells"]:
        both = [None if x is None else round(x, 3) for x in ratios(c)]
        if any(both):
            label = f"{c['model']} {c['shape']}".replace("all-minilm-l6-v2", "MiniLM-L6")
            groups.setdefault(c["threads"], []).append([label, *both])
    title = f"How many times as fast as other runtimes\n{document['cpu']}, {document['kind']}"
    return {"title": title, "groups": [[f"{n} thread{'s' * (n > 1)}", groups[n]] for n in sorted(groups)]}


def digest(drawn):
    """The mark that a plot of these bars carries, so that a stale one is known without drawing."""
    return "bars " + hashlib.sha256(json.dumps(drawn).encode()).hexdigest()


def draw(drawn, path):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "qrun", "svg.fonttype": "none", "font.size": 9, "text.color": INK, "axes.labelcolor": INK,
                                "xtick.color": INK, "ytick.color": INK, "axes.edgecolor": INK})
    from matplotlib import pyplot

    rows = [len(group) for _, group in drawn["groups"]]
    longest = max(x for _, group in drawn["groups"] for b in group for x in b[1:] if x)
    figure, axes = pyplot.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=rows, figsize=(8, 1.4 + 0.42 * sum(rows)), layout="constrained")
    for (title, group), ax in zip(drawn["groups"], axes[:, 0]):
        kinds = [(1, FLOAT, "float32, against the fastest of ONNX Runtime, OpenVINO, rten, tract"), (2, INT8, "int8, against ONNX Runtime's int8")]
        kinds = [k for k in kinds if any(b[k[0]] for b in group)]
        height = 0.8 / len(kinds)
        for i, (column, color, label) in enumerate(kinds):
            both = [len(kinds) == 2 and None not in b[1:] for b in group]  # bars of one kind alone lie on their label's height
            places = [y + (i - 0.5) * height * both[y] for y, b in enumerate(group) if b[column]]
            drawn_bars = ax.barh(places, [b[column] for b in group if b[column]], height * 0.9, color=color, label=label)
            ax.bar_label(drawn_bars, fmt="%.2fx", padding=2, fontsize=7)
        ax.axvline(1, color=INK, linestyle="--", linewidth=0.8)
        ax.set_yticks(range(len(group)), [b[0] for b in group])
        ax.set_ylim(len(group) - 0.4, -0.6)
        ax.set_title(title, loc="left", fontsize=9, fontweight="bold")
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_xlim(0, longest * 1.1)
    figure.suptitle(drawn["title"], fontsize=10)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=1, frameon=False, fontsize=8)
    figure.savefig(path, format="svg", transparent=True, metadata={"Date": None, "Description": digest(drawn)})


if __name__ == "__main__":
    with open(sys.argv[1]) as source:
        draw(json.load(source), sys.argv[2])
