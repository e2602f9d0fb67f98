"""What the benchmark needs: qrun, the peers in a virtual environment, those in Rust where cargo is, and models."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(*command, **options):
    """Runs a command whose output is progress, on stderr."""
    return subprocess.run([str(c) for c in command], check=True, stdout=sys.stderr, **options)


def output(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def qrun(work):
    """The path of the command, built from this repository."""
    binary = work / ("qrun.exe" if os.name == "nt" else "qrun")
    run("go", "build", "-trimpath", "-o", binary, "./cmd/qrun", cwd=ROOT, env={**os.environ, "CGO_ENABLED": "0"})
    return binary


def python(work):
    """The path of a Python with the packages of requirements.txt, and its complaint if they cannot be installed."""
    venv, wanted = work / "venv", HERE / "requirements.txt"
    binary = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = venv / "requirements.txt"  # what has been installed
    if done.exists() and done.read_text() == wanted.read_text():
        return binary, ""
    say(f"installing {', '.join(wanted.read_text().split())} into {venv}")
    try:
        run(sys.executable, "-m", "venv", venv)
        run(binary, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted)
    except (subprocess.CalledProcessError, OSError) as e:
        return binary, f"its package could not be installed: {e}"
    shutil.copy(wanted, done)
    return binary, ""


def rust(work):
    """The folder of the children in Rust, and the complaint where there are none."""
    target = work / "rust"
    if not shutil.which("cargo"):
        return target, "cargo is not installed"
    if not (target / "release").exists():
        say("building rten and tract, which takes minutes")
    try:
        run("cargo", "build", "--release", "--locked", "--quiet", "--manifest-path", HERE / "rust-peers/Cargo.toml", "--target-dir", target)
    except (subprocess.CalledProcessError, OSError) as e:
        return target, f"cargo: {e}"
    return target / "release", ""


# What is hidden from the peers for each tier of qrun that they can be held to.
HIDDEN = {"avx512vnni": "amx", "avx2": "avx512"}


def mask(work, like):
    """The environment of a peer that is to see no more than the tier's instruction sets; see mask.c."""
    library = work / "mask.so"
    try:
        run(os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-o", library, HERE / "mask.c", "-ldl")
    except (subprocess.CalledProcessError, OSError) as e:
        raise SystemExit(f"--like needs Linux on x86-64 and a C compiler (cc, or what CC names): {e}") from e
    env = {"LD_PRELOAD": str(library), "HIDE": HIDDEN[like]}
    if like == "avx2":  # the C library has chosen its functions before
        env["GLIBC_TUNABLES"] = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD"
    return env


def versions(qrun_path):
    """What was measured, by name."""
    found = {"qrun": commit(), "go": json.loads(output(qrun_path, "env", "--json"))["go"]}
    for line in (HERE / "requirements.txt").read_text().split():
        name, _, version = line.partition("==")
        if name in ("onnxruntime", "openvino"):
            found[name] = version
    for name, version in re.findall(r'name = "(rten|tract)(?:-onnx)?"\nversion = "(.*)"', (HERE / "rust-peers/Cargo.lock").read_text()):
        found[name] = version
    return found


def commit():
    try:
        return output("git", "describe", "--always", "--tags", "--dirty", cwd=ROOT, stderr=subprocess.DEVNULL).strip()
    except (subprocess.CalledProcessError, OSError):
        return "unknown"


def fetch(name):
    """The path of a model of the registry."""
    return pathlib.Path(ROOT / output("go", "run", "./models/fetch", name, cwd=ROOT).strip())


def twin(work, python_path, model, name):
    """The model as ONNX Runtime's own tool quantizes it, or None where the tool cannot."""
    path = work / "twins" / f"{name}.onnx"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        new = path.with_suffix(".new")
        try:
            run(python_path, HERE / "children/quantize.py", model, new)
        except (subprocess.CalledProcessError, OSError) as e:
            say(f"{name}: not quantized: {e}")
            return None
        new.rename(path)
    return path
