"""The child's side of the benchmark, for runtimes in Python.

A runtime's file defines prepare(model, threads, inputs), which loads the model and returns a function that runs it once,
and calls serve(prepare). What is said on stdin and stdout is in docs/cli.md, under "bench --stdio".
"""

import argparse
import pathlib
import sys
import time

import onnx.numpy_helper


def resident(field):
    """A size in KB from the process's status."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0])
    raise SystemExit(f"the system tells no {field}")


def read_inputs(folder):
    """The arrays of a folder's input_*.pb by name."""
    inputs = {}
    for path in folder.glob("input_*.pb"):
        proto = onnx.TensorProto.FromString(path.read_bytes())
        inputs[proto.name] = onnx.numpy_helper.to_array(proto)
    return inputs


def serve(prepare):
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--inputs", type=pathlib.Path, required=True)
    args = parser.parse_args()
    inputs = read_inputs(args.inputs)

    clock = time.perf_counter_ns
    begin = clock()
    run = prepare(args.model, args.threads, inputs)
    print("ready", clock() - begin, resident("VmRSS"), flush=True)
    for line in sys.stdin:
        match line.split():
            case ["run", times]:
                spent = []
                for _ in range(int(times)):
                    begin = clock()
                    run()
                    spent.append(clock() - begin)
                print(*spent, flush=True)
            case ["rss"]:
                print(resident("VmHWM"), flush=True)
            case ["quit"]:
                return
            case _:
                raise SystemExit(f"cannot do {line!r}")
