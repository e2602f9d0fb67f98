#!/usr/bin/env python3
"""Measures qrun beside other runtimes on this machine, and writes tables and a plot. See README.md."""

import argparse
import contextlib
import dataclasses
import datetime
import fnmatch
import json
import os
import pathlib
import platform
import sys
import tempfile

import inputs
import install
import peers
import plot
import report

HERE = pathlib.Path(__file__).resolve().parent
PEERS = ["ort", "openvino", "rten", "tract", "qrun", "ort-int8", "qrun-int8"]


def arguments(argv):
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--threads", default="1,2", help="numbers of threads (default 1,2)")
    a.add_argument("--quick", action="store_true", help="half the time per peer: for a first look")
    a.add_argument("--seconds", type=float, help="of runs per peer and cell (default 1.5, with --quick 0.6)")
    a.add_argument("--rounds", type=int, default=15, help="turns in which they are taken (default 15)")
    a.add_argument("--only", action="append", default=[], help="models: names or patterns of cells.json and --models (default all-minilm-l6-v2)")
    a.add_argument("--shapes", help="of the chosen models, as 1x8,1x128 (default all)")
    a.add_argument("--models", type=pathlib.Path, action="append", default=[], help="a folder of model folders with test_data_set_*/input_*.pb; all of them, unless --only")
    a.add_argument("--peers", help=f"of {','.join(PEERS)} (default all)")
    a.add_argument("--int8", action="store_true", help="int8 too for models of --models")
    a.add_argument("--pin", action="store_true", help="every peer gets as many processors as it has threads, the last ones")
    a.add_argument("--like", choices=list(install.HIDDEN), help="as on a processor that has no more: qrun by QRUN_BACKEND, the others by hiding instruction sets from them (Linux, a C compiler, see mask.c)")
    a.add_argument("--work", type=pathlib.Path, help="folder for what is installed and built (default .cache here)")
    a.add_argument("--kind", help="name of this kind of processor (default: architecture and qrun's tier)")
    a.add_argument("--add", action="store_true", help="keep what the file has of other cells")
    a.add_argument("--no-docs", action="store_true", help="write nothing below docs, and README.md")
    a.add_argument("--json", type=pathlib.Path, help="write the results there too")
    a.add_argument("--render", action="store_true", help="measure nothing: make tables and plots from docs/benchmarks")
    a.add_argument("--check", action="store_true", help="measure nothing: fail if tables or plots are not those of docs/benchmarks")
    a.add_argument("--selftest", action="store_true", help="measure qrun and a peer that fails on a small model; writes nothing")
    args = a.parse_args(argv)
    try:
        args.threads = [int(t) for t in args.threads.split(",")]
        if min(args.threads) < 1 or args.rounds < 1:
            raise ValueError
    except ValueError:
        a.error("--threads wants numbers of 1 and more, as 1,2; --rounds one of 1 and more")
    args.seconds = args.seconds or (0.6 if args.quick else 1.5)
    args.peers = args.peers.split(",") if args.peers else PEERS
    if bad := set(args.peers) - set(PEERS):
        a.error(f"no peer {', '.join(sorted(bad))} (there are: {', '.join(PEERS)})")
    return args


def all_peers(names, qrun, work, like):
    """The peers of these names, those with a complaint that are not here."""
    python, no_python, rust, no_rust = "python", "", work, ""
    if {"ort", "openvino", "ort-int8"} & set(names):
        python, no_python = install.python(work)
    if {"rten", "tract"} & set(names):
        rust, no_rust = install.rust(work)
    child = lambda name: (str(python), str(HERE / "children" / name))
    known = [
        peers.Peer("ort", child("onnxruntime_peer.py"), absent=no_python),
        peers.Peer("openvino", child("openvino_peer.py"), absent=no_python),
        peers.Peer("rten", (str(rust / "rten_peer"),), absent=no_rust),
        peers.Peer("tract", (str(rust / "tract_peer"),), threads=1, absent=no_rust),
        peers.Peer("qrun", (str(qrun), "bench", "--stdio")),
        peers.Peer("ort-int8", child("onnxruntime_peer.py"), int8=True, twin=True, absent=no_python),
        peers.Peer("qrun-int8", (str(qrun), "bench", "--stdio", "--quantize", "dynamic"), int8=True),
    ]
    if like:
        masked = install.mask(work, like)
        known = [dataclasses.replace(p, env={"QRUN_BACKEND": like} if p.command[0] == str(qrun) else masked) for p in known]
    return [p for p in known if p.name in names], python


def chosen(args, scratch, qrun):
    """Yields (model, path, shape, folder of inputs, whether int8 too)."""
    registry = json.loads((HERE / "cells.json").read_text())
    patterns = args.only or ([] if args.models else ["all-minilm-l6-v2"])
    wanted = lambda name: any(fnmatch.fnmatch(name, p) for p in patterns)
    shapes = args.shapes.split(",") if args.shapes else None
    for name, cell in registry.items():
        if not wanted(name):
            continue
        path = install.fetch(name)
        names = [i["name"] for i in json.loads(install.output(qrun, "inspect", path, "--json"))["inputs"]]
        for shape, text in cell["shapes"].items():
            if shapes is None or shape in shapes:
                folder = scratch / name / shape
                inputs.write(folder, names, text)
                yield name, path, shape, folder, cell.get("int8", False)
    for base in args.models:
        for path in sorted(base.glob("**/*.onnx")):
            sets = sorted(path.parent.glob("test_data_set_*"))
            if len(list(path.parent.glob("*.onnx"))) == 1 and (wanted(path.parent.name) or not args.only):
                for folder in sets[:1]:
                    yield path.parent.name, path, folder.name.replace("test_data_set_", "set "), folder, args.int8


def processors(threads, pin):
    if not pin or not hasattr(os, "sched_getaffinity"):
        return None
    return set(sorted(os.sched_getaffinity(0))[-threads:])


def measure(args, qrun, work, scratch):
    every, python = all_peers(args.peers, qrun, work, args.like)
    cells, done = list(chosen(args, scratch, qrun)), []
    if not cells:
        raise SystemExit("no model and shape of these names")
    for name, path, shape, folder, int8 in cells:
        group = [p for p in every if int8 or not p.int8]
        twin = None
        if any(p.twin and not p.absent for p in group):
            twin = install.twin(work, python, path, name)
            if twin is None:
                group = [p for p in group if not p.twin]
        for threads in args.threads:
            able = [p for p in group if threads <= p.threads]
            rows = peers.measure(able, path, twin, threads, folder, args.seconds, args.rounds, processors(threads, args.pin))
            for r in rows:
                if "error" in r:  # without the places of this machine
                    r["error"] = r["error"].replace(str(work), "").replace(str(install.ROOT), "").replace(str(scratch), "")
            cell = {"model": name, "shape": shape, "threads": threads, "results": rows, "allocations": allocations(qrun, path, folder, threads, int8)}
            done.append(cell)
            print(report.cell_text(cell), flush=True)
    return done


def allocations(qrun, path, folder, threads, int8):
    """qrun's allocations and allocated bytes per run, by peer."""
    modes = {"none": "qrun", "dynamic": "qrun-int8"} if int8 else {"none": "qrun"}
    try:
        doc = json.loads(install.output(qrun, "bench", path, "-i", folder, "--quantize", ",".join(modes), "--threads", threads, "-n", 1, "--warmup", 0, "--json"))
    except Exception as e:  # the table of times stands without
        install.say(f"{path}: {e}")
        return {}
    return {modes[r["quantize"]]: {"count": r["allocations"], "bytes": r["allocated_bytes"]} for r in doc["results"]}


def main(argv):
    args = arguments(argv)
    work = (args.work or HERE / ".cache").resolve()
    if args.check:
        return report.render()
    if args.render:
        return report.render(drawer(work))
    work.mkdir(parents=True, exist_ok=True)
    qrun = install.qrun(work)
    if args.selftest:
        return selftest(qrun)
    with tempfile.TemporaryDirectory() as scratch:
        cells = measure(args, qrun, work, pathlib.Path(scratch))
    environment = json.loads(install.output(qrun, "env", "--json"))
    own = f"{environment['arch']}-{environment['backend']}"
    document = {
        "schema": "qrun.peers/1",
        "kind": args.kind or (f"{own}-as-{args.like}" if args.like else own),
        "cpu": environment["cpu"],
        "features": environment["features"],
        "backend": args.like or environment["backend"],
        "hidden": install.HIDDEN.get(args.like, ""),
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "versions": install.versions(qrun),
        "seconds": args.seconds,
        "rounds": args.rounds,
        "cells": cells,
    }
    if args.json:
        report.replace(args.json, json.dumps(document, indent=1) + "\n")
    if not args.no_docs:
        report.keep(document, add=args.add)
        return report.render(drawer(work))
    return 0


def drawer(work):
    """A function that draws bars to a file, with the Python that has the package for it."""

    def draw(bars, path):
        python, missing = install.python(work)
        if missing:
            raise SystemExit(f"{path} is not drawn: {missing}")
        with tempfile.TemporaryDirectory() as scratch:
            source, drawn = pathlib.Path(scratch, "bars.json"), pathlib.Path(scratch, "plot.svg")
            source.write_text(json.dumps(bars))
            install.run(python, HERE / "plot.py", source, drawn)
            report.replace(path, drawn.read_text())

    return draw


def selftest(qrun):
    """The whole way of a measurement, with qrun and peers that cannot do it."""
    model = install.ROOT / "models/digits/mlp.onnx"
    cannot = [peers.Peer("liar", (sys.executable, "-c", "print('ready or not')")), peers.Peer("gone", ("no-such-program",)),
              peers.Peer("quits", (sys.executable, "-c", "print('ready 1 1', flush=True); raise SystemExit('had enough')"))]
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        inputs.write(folder, ["image"], {"*": "float32[3 64]"})
        able = [peers.Peer("qrun", (str(qrun), "bench", "--stdio")), peers.Peer("qrun-int8", (str(qrun), "bench", "--stdio", "--quantize", "dynamic"), int8=True)]
        rows = peers.measure([*cannot, *able], model, None, 1, folder, 0.1, 4)
        cell = {"model": "mlp", "shape": "3x64", "threads": 1, "results": rows, "allocations": allocations(qrun, model, folder, 1, True)}
    print(report.cell_text(cell))
    by_name = {r["peer"]: r for r in rows}
    assert all("error" in by_name[p.name] for p in cannot), rows
    assert by_name["quits"]["error"] == "had enough", rows
    assert all(0 < by_name[p.name]["min_ms"] <= by_name[p.name]["p10_ms"] <= by_name[p.name]["median_ms"] for p in able), rows
    assert all(by_name[p.name]["runs"] >= 4 and by_name[p.name]["peak_kb"] > 0 for p in able), rows
    document = {"kind": "test", "cpu": "c", "backend": "b", "processors": 1, "system": "s", "date": "d", "versions": {}, "cells": [cell], "seconds": 0.1, "rounds": 4}
    text = report.tables(document)
    assert "| mlp " in text and "had enough" in text, text
    beside = dict(cell, results=[*rows, {"peer": "ort", "p10_ms": 3 * by_name["qrun"]["p10_ms"]}])
    groups = plot.bars(dict(document, cells=[beside]), report.ratios)["groups"]
    assert groups == [["1 thread", [["mlp 3x64", 3.0, None]]]], groups
    return report.render()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
    sys.exit(130)
