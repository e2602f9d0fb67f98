"""Runtimes as child processes, and their measurement in turns."""

import contextlib
import dataclasses
import os
import queue
import shlex
import statistics
import subprocess
import tempfile
import threading
import time


@dataclasses.dataclass(frozen=True)
class Peer:
    """A runtime under one setting."""

    name: str
    command: tuple  # without model, threads and inputs
    int8: bool = False  # stands among the int8 peers
    twin: bool = False  # is given the model that ONNX Runtime's tool has quantized
    threads: int = 1024  # on which it can run
    absent: str = ""  # why it cannot be measured here
    env: dict = dataclasses.field(default_factory=dict)  # of its process, beside this one's


CHILD_ENV = {**os.environ, "RUST_BACKTRACE": "0"}  # so that an error is the last line


class Gone(Exception):
    """The child cannot, or no longer, answer; the text says why."""


@contextlib.contextmanager
def on_cpus(cpus):
    """Lets this thread, and the processes that it starts, run on some processors alone; None is all."""
    if not cpus:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Child:
    """A runtime with a model loaded. Every question has one line of answer."""

    def __init__(self, peer, model, threads, inputs, cpus, patience):
        self.peer, self.patience = peer, patience
        self.errors = tempfile.TemporaryFile("w+")
        command = [*peer.command, str(model), "--threads", str(threads), "--inputs", str(inputs)]
        with on_cpus(cpus):
            try:
                self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                                env={**CHILD_ENV, **peer.env})
            except OSError as e:
                raise Gone(f"{shlex.join(peer.command)}: {e.strerror}") from e
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        words = self._answer()
        if len(words) != 3 or words[0] != "ready" or not all(w.isdecimal() for w in words[1:]):
            self.fail(words)
        self.load_ns, self.loaded_kb = self.numbers(words[1:])
        self.ns = []

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def _answer(self):
        try:
            return self.lines.get(timeout=self.patience).split()
        except queue.Empty:
            self.kill()
            raise Gone(f"no answer within {self.patience:g} s") from None

    def fail(self, answer=()):
        """Raises with the last line that the child has written to stderr, else with its answer."""
        if not answer:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)  # it has ended, or is about to
        self.kill()
        self.errors.seek(0)
        lines = [line.strip() for line in self.errors if line.strip()]
        if lines:
            raise Gone(lines[-1].removeprefix("Error: ").removeprefix("qrun: ")[:300])
        raise Gone(f"answered {' '.join(answer)!r}" if answer else f"ended with code {self.process.returncode}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, question):
        try:
            self.process.stdin.write(question + "\n")
            self.process.stdin.flush()
        except OSError:
            self.fail()
        words = self._answer()
        return self.numbers(words)

    def numbers(self, words):
        if not words or not all(w.isdecimal() for w in words):
            self.fail(words)
        return [int(w) for w in words]

    def run(self, times):
        ns = self.ask(f"run {times}")
        if len(ns) != times:
            raise Gone(f"{len(ns)} times for {times} runs")
        return ns

    def quit(self):
        try:
            self.process.stdin.write("quit\n")
            self.process.stdin.close()
            self.process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self.kill()


def percentile(ordered, share):
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def result(child, first_ns, peak_kb):
    ordered = sorted(child.ns)
    return {
        "peer": child.peer.name,
        "runs": len(ordered),
        "min_ms": ordered[0] / 1e6,
        "p10_ms": percentile(ordered, 0.1) / 1e6,
        "median_ms": statistics.median(ordered) / 1e6,
        "p90_ms": percentile(ordered, 0.9) / 1e6,
        "load_ms": child.load_ns / 1e6,
        "first_ms": first_ns / 1e6,
        "loaded_kb": child.loaded_kb,
        "peak_kb": peak_kb,
    }


SETTLE = 0.003  # seconds in which the threads of the peer before may come to rest


def measure(peers, model, twin, threads, inputs, seconds, rounds, cpus=None, patience=180):
    """One result or error per peer. All have the model loaded at the same time and take turns, each for a short burst of
    runs, in one order and then in the other, so that what else the machine does falls on all."""
    results, alive = {}, []
    for peer in peers:
        if peer.absent:
            results[peer.name] = {"peer": peer.name, "error": peer.absent}
            continue
        try:
            child = Child(peer, twin if peer.twin else model, threads, inputs, cpus, patience)
            child.first_ns = child.run(1)[0]
            warm = child.run(3)
            warm += child.run(max(3, min(50, int(50e6 / statistics.median(warm)))))  # some 50 ms more
            child.burst = max(1, round(seconds / rounds * 1e9 / statistics.median(warm)))
            alive.append(child)
        except Gone as e:
            results[peer.name] = {"peer": peer.name, "error": str(e)}
    for turn in range(rounds):
        for child in alive[:: 1 if turn % 2 == 0 else -1]:
            if child.peer.name in results:
                continue
            time.sleep(SETTLE)
            try:
                child.ns += child.run(child.burst)
            except Gone as e:
                results[child.peer.name] = {"peer": child.peer.name, "error": str(e)}
    for child in alive:
        if child.peer.name not in results:
            try:
                results[child.peer.name] = result(child, child.first_ns, child.ask("rss")[0])
            except Gone as e:
                results[child.peer.name] = {"peer": child.peer.name, "error": str(e)}
        child.quit()
    return [results[p.name] for p in peers]
